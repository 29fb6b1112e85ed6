*filter
:INPUT
-m state --state INVALID;=;OK
-m state --state NEW,RELATED;=;OK
-m state --state ESTABLISHED,RELATED,NEW,INVALID,UNTRACKED;-m state --state INVALID,NEW,RELATED,ESTABLISHED,UNTRACKED;OK
-m state ! --state new;-m state ! --state NEW;OK
-m state --state NEW -m state --state UNTRACKED;=;OK
-m state;;FAIL
-m state --state;;FAIL
-m state --state SNAT;;FAIL
-m state --state NEW,;;FAIL
-m state --state FOO;;FAIL
-m state --state NEW --state NEW;;FAIL

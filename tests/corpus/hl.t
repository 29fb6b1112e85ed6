@6
*filter
:INPUT
-m hl --hl-eq 42;=;OK
-m hl ! --hl 42;-m hl ! --hl-eq 42;OK
-m hl --hl-lt 42;=;OK
-m hl --hl-gt 42;=;OK
-m hl ! --hl-eq 7;=;OK
-m hl --hl-eq 256;;FAIL
-m hl;;FAIL

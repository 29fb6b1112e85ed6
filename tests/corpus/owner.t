*filter
:OUTPUT
-m owner --uid-owner root;-m owner --uid-owner 0;OK
-m owner --uid-owner 0-10 --gid-owner 0-10;=;OK
-m owner ! --uid-owner root ! --gid-owner root;-m owner ! --uid-owner 0 ! --gid-owner 0;OK
-m owner --socket-exists;=;OK
-m owner ! --socket-exists --uid-owner 1;=;OK
-m owner --gid-owner 0-10 --suppl-groups;=;OK
-m owner --suppl-groups --gid-owner 4;-m owner --gid-owner 4 --suppl-groups;OK;;stock wants the group first
-m owner;;FAIL
-m owner --suppl-groups;;FAIL
-m owner --uid-owner nosuchuser;;FAIL
-m owner --uid-owner 5-3;;FAIL
-m owner --uid-owner 4294967296;;FAIL

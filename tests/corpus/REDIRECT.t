*nat
:PREROUTING
-j REDIRECT;=;OK
-j REDIRECT --random;=;OK
-p tcp -j REDIRECT --to-ports 42;=;OK
-p tcp -j REDIRECT --to-port 42;-p tcp -j REDIRECT --to-ports 42;OK
-p udp -j REDIRECT --to-ports 42-1234 --random;=;OK
-p tcp -j REDIRECT --to-ports 0-0;-p tcp -j REDIRECT --to-ports 0;OK
-p tcp -j REDIRECT --to-ports http;-p tcp -j REDIRECT --to-ports 80;OK
-p tcp -j REDIRECT --to-ports 10-5;;FAIL
-p tcp -j REDIRECT --to-ports nosuch;;FAIL
-j REDIRECT --to-ports 80;;FAIL

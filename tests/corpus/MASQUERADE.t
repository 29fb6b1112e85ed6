*nat
:POSTROUTING
-j MASQUERADE;=;OK
-j MASQUERADE --random;=;OK
-j MASQUERADE --random-fully;=;OK
-p tcp -j MASQUERADE --to-ports 1024;=;OK
-p udp -j MASQUERADE --to-ports 1024-65535 --random;=;OK
-p tcp -j MASQUERADE --to-ports 1024-1024;-p tcp -j MASQUERADE --to-ports 1024;OK
-p tcp -j MASQUERADE --to-ports 2-1;;FAIL
-p tcp -j MASQUERADE --to-ports 65536;;FAIL
-j MASQUERADE --to-ports 80;;FAIL

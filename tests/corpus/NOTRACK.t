*raw
:PREROUTING
-j NOTRACK;=;OK
-p udp -j NOTRACK;=;OK
-j NOTRACK --zone 1;;FAIL

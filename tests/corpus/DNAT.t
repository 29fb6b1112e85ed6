@4
*nat
:PREROUTING
-j DNAT --to-destination 1.1.1.1;=;OK
-j DNAT --to 1.1.1.1;-j DNAT --to-destination 1.1.1.1;OK
-j DNAT --to-destination 1.1.1.1-1.1.1.10;=;OK
-j DNAT --to-destination 1.1.1.1-1.1.1.1;-j DNAT --to-destination 1.1.1.1;OK
-p tcp -j DNAT --to-destination 1.1.1.1:1025-65535;=;OK
-p tcp -j DNAT --to-destination 1.1.1.1-1.1.1.10:1025-65535;=;OK
-p tcp -j DNAT --to-destination 1.1.1.1:80;=;OK
-p tcp -j DNAT --to-destination 1.1.1.1:http;-p tcp -j DNAT --to-destination 1.1.1.1:80;OK
-p tcp -j DNAT --to-destination 1.1.1.1:10-12/13;=;OK
-p udp -j DNAT --to-destination :80;=;OK
-p icmp -j DNAT --to-destination 1.1.1.1:5;=;OK
-j DNAT --to-destination 1.1.1.1 --random;=;OK
-j DNAT --to-destination 1.1.1.1 --persistent --random;-j DNAT --to-destination 1.1.1.1 --random --persistent;OK
-j DNAT;;FAIL
-j DNAT --to-destination 1.1.1.1:80;;FAIL
-j DNAT --to-destination 1.1.1;;FAIL
-j DNAT --to-destination ::1;;FAIL
-p tcp -j DNAT --to-destination 1.1.1.1:90-80;;FAIL
-p tcp -j DNAT --to-destination 1.1.1.1:65536;;FAIL
-p tcp -j DNAT --to-destination 1.1.1.1:;;FAIL
-j DNAT --to-destination 1.1.1.1 --to-destination 2.2.2.2;;FAIL

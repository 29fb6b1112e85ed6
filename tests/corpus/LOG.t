*filter
:INPUT
-j LOG;=;OK
-j LOG --log-prefix "test: ";=;OK
-j LOG --log-prefix test;=;OK
-j LOG --log-prefix "12345678901234567890123456789";-j LOG --log-prefix 12345678901234567890123456789;OK
-j LOG --log-level 0;=;OK
-j LOG --log-level warning;-j LOG;OK
-j LOG --log-level debug;-j LOG --log-level 7;OK
-j LOG --log-level alert --log-tcp-sequence --log-tcp-options --log-ip-options --log-uid --log-macdecode;-j LOG --log-level 1 --log-tcp-sequence --log-tcp-options --log-ip-options --log-uid --log-macdecode;OK
-j LOG --log-uid --log-prefix x;-j LOG --log-prefix x --log-uid;OK
-j LOG --log-level 8;;FAIL
-j LOG --log-level nosuch;;FAIL
-j LOG --log-prefix;;FAIL
-j LOG --log-prefix "";;FAIL
-j LOG --log-prefix a --log-prefix b;;FAIL
! -j LOG;;FAIL

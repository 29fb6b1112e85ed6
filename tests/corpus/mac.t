*filter
:FORWARD
-m mac --mac-source 42:01:02:03:04:05;=;OK
-m mac ! --mac-source FA:16:3E:AA:BB:CC;-m mac ! --mac-source fa:16:3e:aa:bb:cc;OK
-m mac --mac-source 1:2:3:4:5:A;-m mac --mac-source 01:02:03:04:05:0a;OK
-m mac --mac-source 42:01:02:03:04;;FAIL
-m mac --mac-source 42:01:02:03:04:05:06;;FAIL
-m mac --mac-source 42:01:02:03:04:0g;;FAIL
-m mac --mac-source 42-01-02-03-04-05;;FAIL
-m mac;;FAIL

*mangle
:PREROUTING
-j MARK --set-xmark 0xfeedcafe/0xfeedcafe;=;OK
-j MARK --set-xmark 1;-j MARK --set-xmark 0x1/0xffffffff;OK
-j MARK --set-mark 0x1;-j MARK --set-xmark 0x1/0xffffffff;OK
-j MARK --set-mark 0x1/0x6;-j MARK --set-xmark 0x1/0x7;OK
-j MARK --or-mark 7;-j MARK --set-xmark 0x7/0x7;OK
-j MARK --and-mark 0xf;-j MARK --set-xmark 0x0/0xfffffff0;OK
-j MARK --xor-mark 0xf;-j MARK --set-xmark 0xf/0x0;OK
-j MARK;;FAIL
-j MARK --set-mark x;;FAIL
-j MARK --set-mark 1 --or-mark 2;;FAIL
-j MARK --set-xmark 4294967296;;FAIL

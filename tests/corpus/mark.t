*mangle
:PREROUTING
-m mark --mark 0xfeedcafe/0xfeedcafe;=;OK
-m mark --mark 10;-m mark --mark 0xa;OK
-m mark --mark 010;-m mark --mark 0x8;OK
-m mark --mark 0x0;=;OK
-m mark --mark 4294967295;-m mark --mark 0xffffffff;OK
-m mark --mark 0x1/0xffffffff;-m mark --mark 0x1;OK
-m mark ! --mark 0x1/0xffff0000;=;OK
-m mark --mark 4294967296;;FAIL
-m mark --mark -1;;FAIL
-m mark --mark x;;FAIL
-m mark --mark 1/;;FAIL
-m mark --mark 1 --mark 2;;FAIL
-m mark;;FAIL

*mangle
:PREROUTING
-m connmark --mark 0xfeedcafe/0xfeedcafe;=;OK
-m connmark --mark 10;-m connmark --mark 0xa;OK
-m connmark --mark 010;-m connmark --mark 0x8;OK
-m connmark --mark 0x0;=;OK
-m connmark --mark 4294967295;-m connmark --mark 0xffffffff;OK
-m connmark --mark 0x1/0xffffffff;-m connmark --mark 0x1;OK
-m connmark ! --mark 0x1/0xffff0000;=;OK
-m connmark --mark 4294967296;;FAIL
-m connmark --mark -1;;FAIL
-m connmark --mark x;;FAIL
-m connmark --mark 1/;;FAIL
-m connmark --mark 1 --mark 2;;FAIL
-m connmark;;FAIL

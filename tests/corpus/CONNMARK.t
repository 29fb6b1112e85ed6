*mangle
:PREROUTING
-j CONNMARK --set-xmark 0xfeedcafe/0xfeedcafe;=;OK
-j CONNMARK --set-mark 1;-j CONNMARK --set-xmark 0x1/0xffffffff;OK
-j CONNMARK --set-mark 1/6;-j CONNMARK --set-xmark 0x1/0x7;OK
-j CONNMARK --or-mark 7;-j CONNMARK --set-xmark 0x7/0x7;OK
-j CONNMARK --and-mark 0xf;-j CONNMARK --set-xmark 0x0/0xfffffff0;OK
-j CONNMARK --xor-mark 0xf;-j CONNMARK --set-xmark 0xf/0x0;OK
-j CONNMARK --save-mark;-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff;OK
-j CONNMARK --restore-mark --mask 0xff;-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff;OK
-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff00;=;OK
-j CONNMARK --save-mark --nfmask 0xfeedcafe --ctmask 0xfeedcafe --left-shift-mark 4;=;OK
-j CONNMARK --set-mark 1 --right-shift-mark 8;-j CONNMARK --set-xmark 0x1/0xffffffff --right-shift-mark 8;OK
-j CONNMARK;;FAIL
-j CONNMARK --save-mark --restore-mark;;FAIL
-j CONNMARK --save-mark --mask 1 --nfmask 2;;FAIL
-j CONNMARK --set-mark 1 --mask 3;;FAIL;;stock drops the mask without a word
-j CONNMARK --save-mark --left-shift-mark 33;;FAIL

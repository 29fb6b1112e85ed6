*filter
:FORWARD
-m physdev --physdev-in lo;=;OK
-m physdev --physdev-out lo;=;OK
-m physdev ! --physdev-in tap+ --physdev-is-in ! --physdev-is-out;-m physdev --physdev-is-in ! --physdev-in tap+ ! --physdev-is-out;OK
-m physdev --physdev-is-in;=;OK
-m physdev ! --physdev-is-in ! --physdev-out eth0;=;OK
-m physdev --physdev-is-out;=;OK
-m physdev ! --physdev-is-bridged;=;OK
-m physdev --physdev-out tap0 --physdev-is-bridged;=;OK
-m physdev --physdev-in +;=;OK
-m physdev;;FAIL
-m physdev --physdev-in name-of-16-bytes;;FAIL

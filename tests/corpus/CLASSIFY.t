*mangle
:POSTROUTING
-j CLASSIFY --set-class 0000:ffff;=;OK
-j CLASSIFY --set-class 1:234;-j CLASSIFY --set-class 0001:0234;OK
-j CLASSIFY --set-class 0x1:ffff;-j CLASSIFY --set-class 0001:ffff;OK
-j CLASSIFY --set-class 1;;FAIL
-j CLASSIFY --set-class x:y;;FAIL
-j CLASSIFY --set-class 0:10000;;FAIL;;1.8.9 cuts it to 16 bits
-j CLASSIFY --set-class -1:-1;;FAIL;;1.8.9 takes a sign
-j CLASSIFY;;FAIL

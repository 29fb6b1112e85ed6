*filter
:INPUT
-m comment --comment one;=;OK
-m comment --comment "two words";=;OK
-m comment --comment a.b;-m comment --comment "a.b";OK
-m comment --comment "";=;OK
-m comment --comment "say \"it's\" \\ so";-m comment --comment "say \"it\'s\" \\ so";OK
-m comment --comment "-j DROP";=;OK
-m comment --comment=x;-m comment --comment x;OK
-m comment --comment one -m comment --comment two;=;OK
-m comment --comment umlaut-ü;-m comment --comment "umlaut-ü";OK
-m comment;;FAIL
-m comment --comment;;FAIL
-m comment --comment "open;;FAIL;;stock ends an open quote at the end of the line
-m comment --comment two words;;FAIL
-m comment ! --comment x;;FAIL

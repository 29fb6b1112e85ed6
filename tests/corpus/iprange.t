*filter
:INPUT
-m iprange --src-range 1.1.1.1-1.1.1.10;=;OK;@4
-m iprange ! --src-range 1.1.1.1-1.1.1.10 ! --dst-range 2.2.2.2-2.2.2.3;=;OK;@4
-m iprange --dst-range 1.1.1.1;-m iprange --dst-range 1.1.1.1-1.1.1.1;OK;@4
-m iprange --src-range ::1-::2;=;OK;@6
-m iprange --dst-range 2001:db8::-2001:db8::ffff;=;OK;@6
-m iprange --src-range 10.0.0.2-10.0.0.1;=;OK;@4
-m iprange;;FAIL
-m iprange --src-range foo;;FAIL
-m iprange --src-range 1.1.1.1-;;FAIL;@4
-m iprange --src-range 1.1.1.1-::2;;FAIL

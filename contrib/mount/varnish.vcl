# Varnish, in front of the web server that sluice is mounted under.  Save this beside
# your own VCL and write there, before its vcl_recv,
#	include "sluice.vcl";
#
# Without it Varnish asks for gzip itself, also for clients that take none.  It then
# unpacks streams for these, and passes nothing on before the end.  Each stream takes a
# thread: varnishd -p thread_pool_max=.  A heartbeat of sluice's (15s) is shorter than
# pipe_timeout (60s): keep it so.

sub vcl_recv {
	if (req.url ~ "^/logs([/?]|$)") {
		return (pipe);
	}
}

# Varnish, in front of the web server that sluice is mounted under.  Save this beside
# your own VCL and write there, before its vcl_recv,
#	include "sluice.vcl";
#
# Everything else than a pipe asks for gzip itself, also for clients that take none:
# it would have to unpack streams, and passes nothing on before their end.  Each stream
# takes a thread: varnishd -p thread_pool_max=.  A heartbeat of sluice's (15s) is
# shorter than pipe_timeout (60s): keep it so.

sub vcl_recv {
	if (req.url ~ "^/logs([/?]|$)") {
		return (pipe);
	}
}

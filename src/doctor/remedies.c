/* SPDX-License-Identifier: MIT */
#include "doctor/remedies.h"

#include <stdio.h>
#include <string.h>

/* By way: how sluice is mounted there, "" for any; PROXY: it passes requests on. */
#define PROXY "proxy"

static const struct remedy {
	enum trouble trouble;
	enum product product;
	const char *way, *directive;
} remedies[] = {
	{HELD_BACK, LIGHTTPD, "", "server.stream-response-body = 2"},
	{HELD_BACK, LIGHTTPD, PROXY, "server.stream-response-body = 2"},
	{HELD_BACK, APACHE, "socket",
	 "<Proxy \"fcgi://sluice/\">\n    ProxySet flushpackets=on\n  </Proxy>"},
	{HELD_BACK, APACHE, "spawned", "FcgidOutputBufferSize 0"},
	{HELD_BACK, APACHE, "cgi", "SetEnv no-gzip 1     (mod_deflate holds CGI output back)"},
	{HELD_BACK, APACHE, PROXY, "ProxyPass ... flushpackets=on"},
	{HELD_BACK, NGINX, "", "fastcgi_buffering off;"},
	{HELD_BACK, NGINX, PROXY, "proxy_buffering off;"},
	{HELD_BACK, CADDY, "", "flush_interval -1"},
	{HELD_BACK, CADDY, PROXY, "flush_interval -1     (in reverse_proxy)"},
	{HELD_BACK, HAPROXY, "", "no \"http-response wait-for-body\" in sluice's backend"},
	{HELD_BACK, HAPROXY, PROXY, "no \"http-response wait-for-body\" in sluice's backend"},
	{HELD_BACK, VARNISH, PROXY,
	 "if (req.url ~ \"^/logs([/?]|$)\") { return (pipe); }     (in vcl_recv)"},
	{HELD_BACK, SQUID, PROXY,
	 "no adaptation_access and no delay_access for sluice's path (deny it there)"},
	{HELD_BACK, TRAEFIK, PROXY, "no middleware \"buffering\" in sluice's router"},
	{HELD_BACK, ENVOY, PROXY, "no filter \"buffer\" on sluice's route"},
	{HELD_BACK, IIS, PROXY, "responseBufferLimit=\"0\"     (of <proxy>, in ARR)"},
	{HELD_BACK, CLOUDFLARE, PROXY, "a cache rule \"Bypass cache\" for sluice's path"},
	{HELD_BACK, CLOUDFRONT, PROXY, "the cache policy CachingDisabled for sluice's path"},
	{DELAYED, HAPROXY, "", "option http-no-delay"},
	{DELAYED, HAPROXY, PROXY, "option http-no-delay"},
	{COMPRESSED, APACHE, "", "SetEnv no-gzip 1     (in sluice's <Location>)"},
	{COMPRESSED, APACHE, PROXY, "SetEnv no-gzip 1     (in sluice's <Location>)"},
	{COMPRESSED, NGINX, "", "gzip off;     (in sluice's location)"},
	{COMPRESSED, NGINX, PROXY, "gzip off;     (in sluice's location)"},
	{COMPRESSED, LIGHTTPD, "", "deflate.mimetypes without text/event-stream"},
	{COMPRESSED, LIGHTTPD, PROXY, "deflate.mimetypes without text/event-stream"},
	{COMPRESSED, CADDY, "", "no \"encode\" for sluice's path"},
	{COMPRESSED, CADDY, PROXY, "no \"encode\" for sluice's path"},
	{COMPRESSED, HAPROXY, "", "no \"compression offload\" in sluice's backend"},
	{COMPRESSED, HAPROXY, PROXY, "no \"compression offload\" in sluice's backend"},
	{COMPRESSED, VARNISH, PROXY,
	 "if (req.url ~ \"^/logs([/?]|$)\") { return (pipe); }     (in vcl_recv)"},
	{COMPRESSED, TRAEFIK, PROXY, "compress.excludedContentTypes: text/event-stream"},
	{COMPRESSED, ENVOY, PROXY, "a compressor without the content type text/event-stream"},
	{COMPRESSED, CLOUDFLARE, PROXY, "a compression rule that disables it for sluice's path"},
	{UNPACKED, VARNISH, PROXY,
	 "if (req.url ~ \"^/logs([/?]|$)\") { return (pipe); }     (in vcl_recv)"},
	{UNPACKED, NGINX, "", "gunzip off;     (in sluice's location)"},
	{UNPACKED, NGINX, PROXY, "gunzip off;     (in sluice's location)"},
	{UNPACKED, APACHE, "", "no INFLATE among the filters of sluice's <Location>"},
	{UNPACKED, APACHE, PROXY, "no INFLATE among the filters of sluice's <Location>"},
	{UNPACKED, CADDY, PROXY, "transport http { compression off }     (in reverse_proxy)"},
	{UNPACKED, ENVOY, PROXY, "no decompressor on sluice's route"},
	{CUT_OFF, LIGHTTPD, "", "server.max-write-idle = 360"},
	{CUT_OFF, LIGHTTPD, PROXY, "server.max-write-idle = 360"},
	{CUT_OFF, APACHE, "spawned", "FcgidIOTimeout 60"},
	{CUT_OFF, APACHE, "", "Timeout 60"},
	{CUT_OFF, APACHE, PROXY, "ProxyTimeout 60"},
	{CUT_OFF, NGINX, "", "fastcgi_read_timeout 60s;"},
	{CUT_OFF, NGINX, PROXY, "proxy_read_timeout 60s;"},
	{CUT_OFF, CADDY, PROXY, "no read_timeout and no stream_timeout below 60s"},
	{CUT_OFF, HAPROXY, "", "timeout server 60s\n  timeout client 60s"},
	{CUT_OFF, HAPROXY, PROXY, "timeout server 60s\n  timeout client 60s"},
	{CUT_OFF, VARNISH, PROXY,
	 "-p pipe_timeout=60     (where sluice's path is piped; else between_bytes_timeout)"},
	{CUT_OFF, SQUID, PROXY, "read_timeout 15 minutes"},
	{CUT_OFF, TRAEFIK, PROXY, "respondingTimeouts.writeTimeout: 0s     (of the entry point)"},
	{CUT_OFF, ENVOY, PROXY, "timeout: 0s     (of sluice's route)"},
	{CUT_OFF, CLOUDFRONT, PROXY, "an origin response timeout of 60 s"},
	{CUT_OFF, GOOGLE, PROXY, "timeoutSec: 86400     (of the backend service)"},
	{FEW_AT_ONCE, LIGHTTPD, "",
	 "HTTP/1.1 for streams (lighttpd 1.4 allows 8 at once on an HTTP/2 connection)"},
	{FEW_AT_ONCE, APACHE, "",
	 "H2MaxWorkers 512 and H2MaxSessionStreams 100, or HTTP/1.1 for streams"},
	{FEW_AT_ONCE, APACHE, PROXY,
	 "H2MaxWorkers 512 and H2MaxSessionStreams 100, or HTTP/1.1 for streams"},
	{FEW_AT_ONCE, NGINX, "", "http2_max_concurrent_streams 128;"},
	{FEW_AT_ONCE, NGINX, PROXY, "http2_max_concurrent_streams 128;"},
	{FEW_AT_ONCE, HAPROXY, "", "tune.h2.max-concurrent-streams 100"},
	{FEW_AT_ONCE, HAPROXY, PROXY, "tune.h2.max-concurrent-streams 100"},
	{FEW_AT_ONCE, VARNISH, PROXY, "-p h2_max_concurrent_streams=100"},
};

static const char *find(enum trouble trouble, enum product product, const char *way)
{
	const char *any = NULL;
	bool is_proxy = strcmp(way, PROXY) == 0;
	for (size_t i = 0; i < array_size(remedies); i++) {
		const struct remedy *r = &remedies[i];
		if (r->trouble != trouble || r->product != product)
			continue;
		if (strcmp(r->way, way) == 0)
			return r->directive;
		if (!r->way[0] && !is_proxy)
			any = r->directive;
	}
	return any;
}

/* What to look for in what the doctor knows nothing of. */
static const char *what_to_look_for(enum trouble trouble)
{
	switch (trouble) {
	case HELD_BACK: return "response buffering";
	case DELAYED:
		return "a setting that collects small packets (HAProxy: option "
		       "http-no-delay)";
	case COMPRESSED: return "compression";
	case UNPACKED: return "decompression";
	case CUT_OFF: return "timeouts below 60 s";
	case FEW_AT_ONCE: return "the number of streams on an HTTP/2 connection";
	}
	return "";
}

/* "/logs" in it is where sluice is mounted here. */
static void print_directive(const char *name, const char *directive, const char *path)
{
	const char *place = strstr(directive, "/logs");
	int n = place ? (int)(place - directive) : (int)strlen(directive);
	printf("  in %s:\n  %.*s%s%s\n", name, n, directive, place ? path : "",
	       place ? place + strlen("/logs") : "");
}

void remedies_print(const struct layers *l, enum trouble trouble)
{
	const char *at_mount = find(trouble, l->mount.product, l->way);
	size_t n = at_mount != NULL;
	for (size_t i = 0; i < l->n; i++) {
		const struct layer *layer = &l->between[i];
		const char *directive = find(trouble, layer->product, PROXY);
		n += directive || layer->product == UNKNOWN;
		if (directive)
			print_directive(layer->name, directive, l->path);
		else if (layer->product == UNKNOWN)
			printf("  in %s, which the doctor does not know:\n  look for %s\n",
			       layer->name, what_to_look_for(trouble));
	}
	if (at_mount)
		print_directive(l->mount.name, at_mount, l->path);
	if (n > 1)
		puts("  (It is one of these; to find out which, run the doctor with the address "
		     "of each.)");
	if (!n)
		printf("  the doctor knows no setting for this: look for %s in everything on the "
		       "way\n",
		       what_to_look_for(trouble));
}

/*
 * A line to a server that is further away.
 *
 *	delay MICROSECONDS TARGET
 *
 * listens on a free port of the loopback, prints it, and forwards connections
 * to TARGET: the path of a Unix socket, or a port of the loopback. Each way
 * takes MICROSECONDS, so a round trip takes twice as long. What is under way
 * waits in a queue, each chunk for its own moment, so that the line is late
 * but not narrow. Ends when standard input does.
 */
#include "err.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WAYS 128 /* two for each connection, side by side */
#define CHUNK 65536
/* More than anybody sends ahead, or the queue would narrow the line. */
#define UNDER_WAY_MAX ((size_t)64 << 20)
#define NS_PER_S 1000000000

struct chunk {
	struct chunk *next;
	int64_t due; /* ns */
	size_t len;  /* 0: the end of the stream */
	size_t sent;
	unsigned char bytes[];
};

struct way {
	int from, to; /* -1: a free place */
	struct chunk *first, **last;
	size_t under_way; /* bytes */
	bool read_all, sent_all;
};

static struct way way[WAYS];
static int64_t delay;

static int64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* -- connections ----------------------------------------------------------- */

/* There is no delay but ours. Fails on a Unix socket, which has none. */
static void
send_at_once(int fd)
{
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static struct sockaddr_in
loopback(in_port_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static int
connect_path(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(a.sun_path))
		die("the path is too long");
	memcpy(a.sun_path, path, strlen(path));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
connect_port(const char *port)
{
	struct sockaddr_in a = loopback((in_port_t)strtoul(port, NULL, 10));
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
connect_target(const char *target)
{
	int fd = target[0] == '/' ? connect_path(target) : connect_port(target);

	if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		die("cannot set a socket up");
	return fd;
}

static int
listen_somewhere(void)
{
	struct sockaddr_in a = loopback(0);
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 ||
		listen(fd, WAYS) < 0 ||
		getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		die("cannot listen");
	printf("%d\n", ntohs(a.sin_port));
	if (fflush(stdout) == EOF)
		die("cannot say where it listens");
	return fd;
}

static void
way_open(struct way *w, int from, int to)
{
	*w = (struct way){.from = from, .to = to};
	w->last = &w->first;
}

static void
welcome(int listener, const char *target)
{
	int client =
		accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int server = client < 0 ? -1 : connect_target(target);
	size_t i = 0;

	while (i < WAYS && way[i].from >= 0)
		i += 2;
	if (server < 0 || i == WAYS) {
		close(client);
		close(server);
		return;
	}
	send_at_once(client);
	send_at_once(server);
	way_open(&way[i], client, server);
	way_open(&way[i + 1], server, client);
}

/* -- the queue ------------------------------------------------------------- */

static void
put(struct way *w, const unsigned char *bytes, size_t len)
{
	struct chunk *c = xcalloc(1, sizeof(*c) + len);

	c->due = now() + delay;
	c->len = len;
	memcpy(c->bytes, bytes, len);
	*w->last = c;
	w->last = &c->next;
	w->under_way += len;
}

static void
drop_first(struct way *w)
{
	struct chunk *c = w->first;

	w->first = c->next;
	if (!w->first)
		w->last = &w->first;
	w->under_way -= c->len;
	free(c);
}

/* A stream that breaks off has ended, too: whoever writes to it notices. */
static void
take(struct way *w)
{
	static unsigned char bytes[CHUNK];
	ssize_t n = recv(w->from, bytes, sizeof(bytes), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	w->read_all = n <= 0;
	put(w, bytes, n > 0 ? (size_t)n : 0);
}

/* False: the other side is gone. */
static bool
pass_on(struct way *w, int64_t when)
{
	struct chunk *c;
	ssize_t n;

	while ((c = w->first) != NULL && c->due <= when) {
		if (c->len == 0) {
			w->sent_all = true;
			shutdown(w->to, SHUT_WR);
			drop_first(w);
			continue;
		}
		n = send(w->to, c->bytes + c->sent, c->len - c->sent,
			MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->sent += (size_t)n;
		if (c->sent == c->len)
			drop_first(w);
	}
	return true;
}

static void
hang_up(struct way *pair)
{
	close(pair->from);
	close(pair->to);
	for (size_t i = 0; i < 2; i++) {
		while (pair[i].first)
			drop_first(&pair[i]);
		pair[i].from = pair[i].to = -1;
	}
}

/* -- the loop -------------------------------------------------------------- */

/* Standard input, the listener, and two places for each way. */
#define READ(i) (2 + 2 * (i))
#define WRITE(i) (3 + 2 * (i))

/* What to wait for; returns until when, or -1: for ever. Not to be asked
 * about is to be -1, or an end that is known already would be told again. */
static int64_t
expect(struct pollfd *fd, int64_t when)
{
	int64_t next = -1;

	for (size_t i = 0; i < WAYS; i++) {
		const struct way *w = &way[i];
		bool reads = !w->read_all && w->under_way < UNDER_WAY_MAX;
		bool due = w->first && w->first->due <= when;

		fd[READ(i)] = (struct pollfd){reads ? w->from : -1, POLLIN, 0};
		fd[WRITE(i)] = (struct pollfd){due ? w->to : -1, POLLOUT, 0};
		if (w->first && !due && (next < 0 || w->first->due < next))
			next = w->first->due;
	}
	return next;
}

static void
wait_for_any(struct pollfd *fd)
{
	int64_t began = now(), until = expect(fd, began);
	struct timespec t = {
		.tv_sec = (until - began) / NS_PER_S,
		.tv_nsec = (until - began) % NS_PER_S,
	};

	if (ppoll(fd, READ(WAYS), until < 0 ? NULL : &t, NULL) < 0 &&
		errno != EINTR)
		die("cannot wait");
}

static void
forward(const struct pollfd *fd)
{
	int64_t when;

	for (size_t i = 0; i < WAYS; i++) {
		if (way[i].from >= 0 && fd[READ(i)].revents)
			take(&way[i]);
	}
	when = now();
	for (size_t i = 0; i < WAYS; i += 2) {
		struct way *pair = &way[i];

		if (pair->from < 0)
			continue;
		if (!pass_on(&pair[0], when) || !pass_on(&pair[1], when) ||
			(pair[0].sent_all && pair[1].sent_all))
			hang_up(pair);
	}
}

int
main(int argc, char **argv)
{
	static struct pollfd fd[READ(WAYS)];
	int listener;

	if (argc != 3)
		die("delay MICROSECONDS TARGET");
	delay = (int64_t)strtoul(argv[1], NULL, 10) * 1000;
	for (size_t i = 0; i < WAYS; i++)
		way_open(&way[i], -1, -1);
	/* Or the kernel may wake us 50 microseconds late. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	listener = listen_somewhere();
	fd[0] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
	fd[1] = (struct pollfd){listener, POLLIN, 0};
	while (!fd[0].revents) {
		wait_for_any(fd);
		forward(fd);
		if (fd[1].revents)
			welcome(listener, argv[2]);
	}
	return 0;
}

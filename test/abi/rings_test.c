/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of comap.h for channels and queues, called from C, from several processes. */
#include <comap/comap.h>

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int checks = 0;
static comap_context* context = NULL;

#define CHECK(condition)                                                                                       \
    do {                                                                                                       \
        ++checks;                                                                                              \
        if (!(condition)) {                                                                                    \
            fprintf(stderr, "%s:%d: not so: %s (last message: %s)\n", __FILE__, __LINE__, #condition, comap_last_message()); \
            exit(1);                                                                                           \
        }                                                                                                      \
    } while (0)
#define CHECK_OK(call) CHECK((call) == COMAP_OK)
#define NEEDS(argument, call)                                                  \
    do {                                                                       \
        CHECK((call) == COMAP_INVALID_ARGUMENT);                               \
        CHECK(strstr(comap_last_message(), argument) != NULL && strstr(comap_last_message(), "must not be NULL") != NULL); \
    } while (0)

/* What nothing may have set. */
#define POISON_END ((comap_wait_end)77)

static uint64_t in_ms(uint64_t ms) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + ms * 1000000u;
}

/* Runs the work in another process. */
static pid_t start(void (*work)(void)) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0); /* a failed check of the parent leaves nobody behind */
        work();
        _exit(0);
    }
    return child;
}

static void finish(pid_t child) {
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void kill_and_reap(pid_t child) {
    int status = 0;
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
}

/* A byte through it says that the child has come so far. */
static int ready[2];
static void say_ready(void) { CHECK(write(ready[1], "!", 1) == 1); }
static void await_ready(void) {
    char one;
    CHECK(read(ready[0], &one, 1) == 1);
}

static void ignore_signal(int number) { (void)number; }

/* Signals come again and again, as one alone could come before the call that it is to interrupt. */
static void set_alarms(int on) {
    struct itimerval timer;
    struct sigaction action;
    memset(&timer, 0, sizeof timer);
    memset(&action, 0, sizeof action);
    action.sa_handler = ignore_signal;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    if (on) timer.it_value.tv_usec = timer.it_interval.tv_usec = 20000;
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static comap_channel* new_channel(const char* name, const comap_channel_options* options) {
    comap_channel* channel = NULL;
    CHECK_OK(comap_channel_create(context, name, NULL, options, &channel));
    return channel;
}

static comap_channel* open_channel(const char* name) {
    comap_channel* channel = NULL;
    CHECK_OK(comap_channel_open(context, name, NULL, NULL, &channel));
    return channel;
}

static comap_subscription* subscribe(const comap_channel* channel, comap_from from) {
    comap_subscription* subscription = NULL;
    CHECK_OK(comap_channel_subscribe(channel, from, &subscription));
    return subscription;
}

static void publish(const comap_channel* channel, const char* text) {
    comap_wait_end end = POISON_END;
    CHECK_OK(comap_channel_publish(channel, text, strlen(text), COMAP_DEFAULT_DEADLINE, &end));
    CHECK(end == COMAP_SENT);
}

static void receive(comap_subscription* subscription, const char* text, uint64_t missed_expected) {
    char buffer[4096];
    size_t size = 77;
    uint64_t missed = 77;
    comap_wait_end end = POISON_END;
    CHECK_OK(comap_subscription_receive(subscription, buffer, sizeof buffer, in_ms(60000), &end, &size, &missed));
    CHECK(end == COMAP_MESSAGE && size == strlen(text) && memcmp(buffer, text, size) == 0 && missed == missed_expected);
}

static void receive_nothing(comap_subscription* subscription) {
    char buffer[4];
    size_t size = 77;
    uint64_t missed = 77;
    comap_wait_end end = POISON_END;
    CHECK_OK(comap_subscription_receive(subscription, buffer, sizeof buffer, 0, &end, &size, &missed));
    CHECK(end == COMAP_TIMED_OUT && size == 77 && missed == 77);
}

static comap_queue* new_queue(const char* name, const comap_queue_options* options) {
    comap_queue* queue = NULL;
    CHECK_OK(comap_queue_create(context, name, NULL, options, &queue));
    return queue;
}

static comap_queue* open_queue(const char* name) {
    comap_queue* queue = NULL;
    CHECK_OK(comap_queue_open(context, name, NULL, NULL, &queue));
    return queue;
}

static void push(const comap_queue* queue, const char* text) {
    comap_wait_end end = POISON_END;
    CHECK_OK(comap_queue_push(queue, text, strlen(text), COMAP_DEFAULT_DEADLINE, &end));
    CHECK(end == COMAP_SENT);
}

static void pop(const comap_queue* queue, const char* text, int redelivered_expected) {
    char buffer[4096];
    size_t size = 77;
    int redelivered = 77;
    comap_wait_end end = POISON_END;
    CHECK_OK(comap_queue_pop(queue, buffer, sizeof buffer, in_ms(60000), &end, &size, &redelivered));
    CHECK(end == COMAP_MESSAGE && size == strlen(text) && memcmp(buffer, text, size) == 0 && redelivered == redelivered_expected);
}

static void pop_nothing(const comap_queue* queue) {
    char buffer[4];
    size_t size = 77;
    int redelivered = 77;
    comap_wait_end end = POISON_END;
    CHECK_OK(comap_queue_pop(queue, buffer, sizeof buffer, 0, &end, &size, &redelivered));
    CHECK(end == COMAP_TIMED_OUT && size == 77 && redelivered == 77);
}

static comap_item* take(const comap_queue* queue, const char* text, uint32_t takings) {
    comap_item* item = NULL;
    comap_wait_end end = POISON_END;
    CHECK_OK(comap_queue_take(queue, in_ms(60000), &end, &item));
    CHECK(end == COMAP_ACQUIRED && item != NULL);
    CHECK(comap_item_size(item) == strlen(text) && memcmp(comap_item_bytes(item), text, strlen(text)) == 0 && comap_item_takings(item) == takings);
    return item;
}

static void check_counts(const comap_queue* queue, uint64_t waiting_expected, uint64_t held_expected) {
    uint64_t waiting = 77;
    uint64_t held = 77;
    CHECK_OK(comap_queue_counts(queue, &waiting, &held));
    CHECK(waiting == waiting_expected && held == held_expected);
}

/* --- making and opening */

static void test_making_channels(void) {
    comap_channel* channel = NULL;
    comap_channel* other = NULL;
    comap_queue* queue = NULL;
    comap_section* section = NULL;
    comap_event* event = NULL;
    comap_channel_options options = COMAP_CHANNEL_OPTIONS_INIT;
    comap_open_options read_only = COMAP_OPEN_OPTIONS_INIT;
    uint64_t count = 77;
    CHECK(comap_channel_open(context, "c", NULL, NULL, &channel) == COMAP_NOT_FOUND && channel == NULL);
    options.mode = 0640;
    options.message_bytes = 100;
    options.capacity = 50;
    options.many_publishers = 1;
    options.subscribers_waited_for = 3;
    options.patience_ns = COMAP_FOREVER;
    CHECK_OK(comap_channel_create(context, "c", NULL, &options, &channel));
    CHECK(strcmp(comap_channel_name(channel), "c") == 0 && comap_channel_was_created(channel) == 1 && strcmp(comap_channel_format(channel), "") == 0);
    CHECK(comap_channel_message_bytes(channel) == 100 && comap_channel_ring_bytes(channel) >= 5000);
    CHECK(comap_channel_capacity(channel) >= 50 && comap_channel_patience_ns(channel) == COMAP_FOREVER);
    CHECK(comap_channel_has_many_publishers(channel) == 1 && comap_channel_subscribers_waited_for(channel) == 3);
    CHECK_OK(comap_channel_published(channel, &count));
    CHECK(count == 0);
    CHECK(comap_channel_create(context, "c", NULL, NULL, &other) == COMAP_ALREADY_EXISTS && other == NULL);
    CHECK(strcmp(comap_last_object(), "c") == 0);
    CHECK_OK(comap_channel_open_or_create(context, "c", NULL, NULL, &other)); /* it keeps its own options */
    CHECK(comap_channel_was_created(other) == 0 && comap_channel_message_bytes(other) == 100);
    comap_channel_close(other);
    other = NULL;

    CHECK(comap_queue_open(context, "c", NULL, NULL, &queue) == COMAP_LAYOUT_MISMATCH && queue == NULL);
    CHECK(comap_channel_open(context, "c", "<T{I:a:}", NULL, &other) == COMAP_LAYOUT_MISMATCH && other == NULL);
    CHECK(comap_channel_open(context, "c", "no format", NULL, &other) == COMAP_INVALID_ARGUMENT && other == NULL);
    CHECK_OK(comap_section_create(context, "s", 100, NULL, &section));
    CHECK(comap_channel_open(context, "s", NULL, NULL, &other) == COMAP_LAYOUT_MISMATCH);
    CHECK(comap_channel_open_or_create(context, "s", NULL, NULL, &other) == COMAP_LAYOUT_MISMATCH && other == NULL);
    comap_section_close(section);
    CHECK_OK(comap_event_create(context, "e", 0, 0, NULL, &event));
    CHECK(comap_channel_open(context, "e", NULL, NULL, &other) == COMAP_KIND_MISMATCH && other == NULL);
    comap_event_close(event);
    read_only.access = (comap_access)2;
    CHECK(comap_channel_open(context, "c", NULL, &read_only, &other) == COMAP_INVALID_ARGUMENT && other == NULL);
    CHECK(strstr(comap_last_message(), "comap_access") != NULL);
    read_only.access = COMAP_READ_ONLY;
    read_only.struct_size = 0;
    CHECK(comap_channel_open(context, "c", NULL, &read_only, &other) == COMAP_INVALID_ARGUMENT && other == NULL);

    CHECK_OK(comap_channel_set_keep(channel, 1));
    comap_channel_close(channel);
    channel = open_channel("c");
    CHECK_OK(comap_channel_set_keep(channel, 0));
    comap_channel_close(channel);
    CHECK(comap_channel_open(context, "c", NULL, NULL, &other) == COMAP_NOT_FOUND && other == NULL);
    comap_channel_close(NULL);
    comap_subscription_close(NULL);
    comap_loan_give_up(NULL);
}

static void refuse_channel(const comap_channel_options* options, const char* why) {
    comap_channel* channel = NULL;
    CHECK(comap_channel_create(context, "refused", NULL, options, &channel) == COMAP_INVALID_ARGUMENT && channel == NULL);
    CHECK(strstr(comap_last_message(), why) != NULL);
    CHECK(comap_channel_open_or_create(context, "refused", NULL, options, &channel) == COMAP_INVALID_ARGUMENT && channel == NULL);
    CHECK(comap_channel_open(context, "refused", NULL, NULL, &channel) == COMAP_NOT_FOUND);
}

static void test_channel_options(void) {
    const comap_channel_options init = COMAP_CHANNEL_OPTIONS_INIT;
    comap_channel_options options = init;
    comap_channel* channel = new_channel("defaults", NULL);
    CHECK(comap_channel_message_bytes(channel) == init.message_bytes && comap_channel_has_many_publishers(channel) == 0);
    CHECK(comap_channel_subscribers_waited_for(channel) == 0);
    comap_channel_close(channel);
    options.message_bytes = 0;
    refuse_channel(&options, "messages of 0 bytes");
    options.message_bytes = (1u << 27) + 1;
    refuse_channel(&options, "messages of 134217729 bytes");
    options = init;
    options.capacity = 0;
    refuse_channel(&options, "keep 0 messages");
    options.capacity = UINT64_MAX;
    refuse_channel(&options, "messages");
    options = init;
    options.subscribers_waited_for = 33;
    refuse_channel(&options, "33 subscribers");
    options = init;
    options.mode = 01000;
    refuse_channel(&options, "mode");
    options = init;
    options.struct_size = 0;
    refuse_channel(&options, "_INIT");
    options.struct_size = sizeof options + 1;
    refuse_channel(&options, "_INIT");
    /* A caller built against a version whose struct ended after `message_bytes`: the rest keeps its defaults. */
    memset(&options, 0xff, sizeof options);
    options.struct_size = offsetof(comap_channel_options, many_publishers);
    options.mode = 0600;
    options.keep = 0;
    options.message_bytes = 8;
    channel = new_channel("old", &options);
    CHECK(comap_channel_message_bytes(channel) == 8 && comap_channel_has_many_publishers(channel) == 0);
    comap_channel_close(channel);
}

static const char kQuote[] = "<T{d:bid:d:ask:}";

static void test_channels_of_records(void) {
    comap_channel* channel = NULL;
    comap_channel* other = NULL;
    comap_subscription* subscription = NULL;
    comap_loan* loan = NULL;
    comap_channel_options options = COMAP_CHANNEL_OPTIONS_INIT;
    comap_wait_end end = POISON_END;
    double quote[2] = {1.5, 2.5};
    double seen[2] = {0, 0};
    size_t size = 77;
    options.message_bytes = 5; /* a record's size counts */
    CHECK_OK(comap_channel_create(context, "quotes", kQuote, &options, &channel));
    CHECK(strcmp(comap_channel_format(channel), kQuote) == 0 && comap_channel_message_bytes(channel) == sizeof quote);
    CHECK(comap_channel_open(context, "quotes", "<T{d:bid:f:ask:}", NULL, &other) == COMAP_LAYOUT_MISMATCH && other == NULL);
    CHECK(strstr(comap_last_message(), "ask") != NULL);
    CHECK(comap_channel_open_or_create(context, "quotes", "<T{d:bid:f:ask:}", NULL, &other) == COMAP_LAYOUT_MISMATCH && other == NULL);
    CHECK(comap_channel_create(context, "bad", "<T{", NULL, &other) == COMAP_INVALID_ARGUMENT && other == NULL);
    CHECK_OK(comap_channel_open_or_create(context, "quotes", kQuote, NULL, &other));
    comap_channel_close(other);
    CHECK_OK(comap_channel_open(context, "quotes", NULL, NULL, &other)); /* of any format */
    CHECK(strcmp(comap_channel_format(other), kQuote) == 0);
    subscription = subscribe(other, COMAP_FROM_NEXT);
    CHECK(comap_channel_publish(channel, quote, 8, COMAP_DEFAULT_DEADLINE, &end) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_channel_publish(channel, quote, 17, COMAP_DEFAULT_DEADLINE, &end) == COMAP_TOO_LONG);
    CHECK(comap_channel_loan(channel, 8, 1, COMAP_DEFAULT_DEADLINE, &end, &loan) == COMAP_INVALID_ARGUMENT);
    CHECK(end == POISON_END && loan == NULL);
    CHECK_OK(comap_channel_publish(channel, quote, sizeof quote, COMAP_DEFAULT_DEADLINE, &end));
    CHECK_OK(comap_channel_loan(channel, sizeof quote, 1, COMAP_DEFAULT_DEADLINE, &end, &loan));
    CHECK(comap_loan_publish(loan, 8) == COMAP_INVALID_ARGUMENT); /* no record */
    comap_loan_give_up(loan);
    CHECK_OK(comap_subscription_receive(subscription, seen, sizeof seen, in_ms(60000), &end, &size, NULL));
    CHECK(end == COMAP_MESSAGE && size == sizeof seen && memcmp(seen, quote, sizeof seen) == 0);
    receive_nothing(subscription);
    comap_subscription_close(subscription);
    comap_channel_close(other);
    comap_channel_close(channel);
}

/* --- channels */

static void publish_three(void) {
    comap_channel* channel = open_channel("stream");
    publish(channel, "one");
    publish(channel, "");
    publish(channel, "three");
    comap_channel_close(channel);
}

static void test_publishing_and_receiving(void) {
    comap_channel* channel = new_channel("stream", NULL);
    comap_subscription* subscription = subscribe(channel, COMAP_FROM_NEXT);
    comap_wait_end end = POISON_END;
    char buffer[8];
    char too_long[1025];
    uint64_t count = 77;
    size_t size = 77;
    uint64_t missed = 77;
    pid_t child;
    receive_nothing(subscription);
    CHECK_OK(comap_subscription_wait(subscription, in_ms(2), &end));
    CHECK(end == COMAP_TIMED_OUT);
    child = start(publish_three);
    receive(subscription, "one", 0);
    receive(subscription, "", 0);
    end = POISON_END;
    CHECK_OK(comap_subscription_wait(subscription, COMAP_FOREVER, &end));
    CHECK(end == COMAP_MESSAGE && comap_subscription_number(subscription) == 2);
    end = POISON_END;
    CHECK(comap_subscription_receive(subscription, buffer, 4, COMAP_FOREVER, &end, &size, &missed) == COMAP_TOO_LONG);
    CHECK(comap_subscription_receive(subscription, NULL, 0, COMAP_FOREVER, &end, &size, &missed) == COMAP_TOO_LONG);
    CHECK(end == POISON_END && size == 77 && missed == 77 && comap_subscription_number(subscription) == 2);
    CHECK_OK(comap_subscription_receive(subscription, buffer, 5, COMAP_FOREVER, &end, NULL, NULL)); /* it stayed */
    CHECK(end == COMAP_MESSAGE && memcmp(buffer, "three", 5) == 0);
    finish(child);
    CHECK(comap_subscription_missed_in_all(subscription) == 0 && comap_subscription_number(subscription) == 3);

    memset(too_long, 'x', sizeof too_long);
    end = POISON_END;
    CHECK(comap_channel_publish(channel, too_long, sizeof too_long, COMAP_DEFAULT_DEADLINE, &end) == COMAP_TOO_LONG && end == POISON_END);
    CHECK(strstr(comap_last_message(), "1024") != NULL);
    CHECK_OK(comap_channel_published(channel, &count));
    CHECK(count == 3);
    CHECK_OK(comap_channel_publish(channel, NULL, 0, 0, &end));
    CHECK(end == COMAP_SENT);
    receive(subscription, "", 0);

    set_alarms(1);
    end = POISON_END;
    CHECK_OK(comap_subscription_receive(subscription, buffer, sizeof buffer, COMAP_FOREVER, &end, NULL, NULL));
    CHECK(end == COMAP_INTERRUPTED);
    end = POISON_END;
    CHECK_OK(comap_subscription_wait(subscription, COMAP_DEFAULT_DEADLINE, &end));
    CHECK(end == COMAP_INTERRUPTED);
    set_alarms(0);

    comap_channel_close(channel); /* the subscription holds the object */
    channel = open_channel("stream");
    comap_channel_close(channel);
    comap_subscription_close(subscription);
    CHECK(comap_channel_open(context, "stream", NULL, NULL, &channel) == COMAP_NOT_FOUND);
}

static void test_where_subscribers_begin(void) {
    comap_channel* channel = new_channel("begin", NULL);
    comap_subscription* subscription = NULL;
    publish(channel, "a");
    publish(channel, "b");
    subscription = subscribe(channel, COMAP_FROM_OLDEST);
    receive(subscription, "a", 0);
    comap_subscription_close(subscription);
    subscription = subscribe(channel, COMAP_FROM_LATEST);
    CHECK(comap_subscription_number(subscription) == 1);
    receive(subscription, "b", 0);
    comap_subscription_close(subscription);
    subscription = subscribe(channel, COMAP_FROM_NEXT);
    receive_nothing(subscription);
    publish(channel, "c");
    receive(subscription, "c", 0);
    comap_subscription_close(subscription);
    subscription = NULL;
    CHECK(comap_channel_subscribe(channel, (comap_from)77, &subscription) == COMAP_INVALID_ARGUMENT && subscription == NULL);
    CHECK(strstr(comap_last_message(), "comap_from") != NULL);
    comap_channel_close(channel);
}

static void try_to_publish(void) {
    comap_channel* channel = open_channel("roles");
    comap_loan* loan = NULL;
    comap_wait_end end = POISON_END;
    uint64_t published = 77;
    CHECK(comap_channel_publish(channel, "x", 1, COMAP_FOREVER, &end) == COMAP_BUSY && end == POISON_END);
    CHECK(comap_channel_publish_batch(channel, "xy", 1, 2, COMAP_FOREVER, &published, &end) == COMAP_BUSY && published == 0);
    CHECK(comap_channel_loan(channel, 1, 1, COMAP_FOREVER, &end, &loan) == COMAP_BUSY && loan == NULL && end == POISON_END);
    comap_channel_close(channel);
}

static void publish_and_stay(void) {
    comap_channel* channel = open_channel("roles");
    publish(channel, "child");
    say_ready();
    for (;;) pause();
}

static void test_roles(void) {
    comap_channel* channel = new_channel("roles", NULL);
    comap_channel* other = NULL;
    comap_open_options read_only = COMAP_OPEN_OPTIONS_INIT;
    comap_wait_end end = POISON_END;
    uint64_t count = 77;
    pid_t child;
    publish(channel, "parent");
    finish(start(try_to_publish));
    comap_channel_give_up_role(channel);
    child = start(publish_and_stay);
    await_ready();
    CHECK(comap_channel_publish(channel, "x", 1, COMAP_FOREVER, &end) == COMAP_BUSY && end == POISON_END);
    kill_and_reap(child);
    publish(channel, "parent again");
    CHECK_OK(comap_channel_published(channel, &count));
    CHECK(count == 3);
    read_only.access = COMAP_READ_ONLY;
    CHECK_OK(comap_channel_open(context, "roles", NULL, &read_only, &other));
    CHECK(comap_channel_publish(other, "x", 1, COMAP_FOREVER, &end) == COMAP_PERMISSION_DENIED && end == POISON_END);
    CHECK_OK(comap_channel_published(other, &count));
    CHECK(count == 3);
    comap_channel_close(channel);
    channel = open_channel("roles"); /* closing gave the role up */
    publish(channel, "x");
    comap_channel_close(other);
    comap_channel_close(channel);
    comap_channel_give_up_role(NULL);
}

static void test_missing(void) {
    comap_channel_options options = COMAP_CHANNEL_OPTIONS_INIT;
    comap_channel* channel = NULL;
    comap_subscription* subscription = NULL;
    comap_wait_end end = POISON_END;
    const void* bytes = NULL;
    size_t size = 77;
    uint64_t missed = 77;
    uint64_t number = 0;
    char buffer[32];
    int whole = 77;
    int i;
    options.message_bytes = 32;
    options.capacity = 4;
    channel = new_channel("missing", &options);
    subscription = subscribe(channel, COMAP_FROM_NEXT);
    publish(channel, "m");
    CHECK_OK(comap_subscription_borrow(subscription, 0, &end, &bytes, &size, &missed));
    CHECK(end == COMAP_MESSAGE && size == 1 && memcmp(bytes, "m", 1) == 0 && missed == 0);
    bytes = NULL;
    CHECK_OK(comap_subscription_borrow(subscription, 0, &end, &bytes, &size, NULL)); /* the same again */
    CHECK(end == COMAP_MESSAGE && size == 1 && memcmp(bytes, "m", 1) == 0);
    CHECK_OK(comap_subscription_release(subscription, &whole));
    CHECK(whole == 1);
    end = POISON_END;
    bytes = NULL;
    size = 77;
    missed = 77;
    CHECK_OK(comap_subscription_borrow(subscription, 0, &end, &bytes, &size, &missed));
    CHECK(end == COMAP_TIMED_OUT && bytes == NULL && size == 77 && missed == 77);

    publish(channel, "overwritten");
    CHECK_OK(comap_subscription_borrow(subscription, 0, &end, &bytes, &size, &missed));
    CHECK(end == COMAP_MESSAGE && size == 11);
    for (i = 0; i < 100000; ++i) {
        snprintf(buffer, sizeof buffer, "%d", i);
        publish(channel, buffer);
    }
    CHECK_OK(comap_subscription_release(subscription, &whole));
    CHECK(whole == 0);
    CHECK_OK(comap_subscription_receive(subscription, buffer, sizeof buffer - 1, 0, &end, &size, &missed));
    CHECK(end == COMAP_MESSAGE && missed > 1 && comap_subscription_missed_in_all(subscription) == missed);
    buffer[size] = 0;
    number = comap_subscription_number(subscription); /* of the next */
    CHECK(missed == number - 2 && strtoull(buffer, NULL, 10) == number - 3);
    comap_subscription_close(subscription);
    comap_channel_close(channel);
}

static void test_batches(void) {
    comap_channel_options options = COMAP_CHANNEL_OPTIONS_INIT;
    comap_channel* channel = NULL;
    comap_subscription* subscription = NULL;
    comap_wait_end end = POISON_END;
    char big[100000];
    uint64_t published = 77;
    uint64_t count = 77;
    options.message_bytes = 10;
    options.capacity = 100;
    options.subscribers_waited_for = 1;
    options.patience_ns = 1000000;
    channel = new_channel("batches", &options);
    CHECK_OK(comap_channel_publish_batch(channel, "aabbcc", 2, 3, COMAP_DEFAULT_DEADLINE, &published, &end));
    CHECK(end == COMAP_SENT && published == 3);
    subscription = subscribe(channel, COMAP_FROM_OLDEST);
    receive(subscription, "aa", 0);
    receive(subscription, "bb", 0);
    receive(subscription, "cc", 0);
    receive_nothing(subscription);
    published = 77;
    CHECK_OK(comap_channel_publish_batch(channel, NULL, 2, 0, COMAP_DEFAULT_DEADLINE, &published, &end));
    CHECK(end == COMAP_SENT && published == 0);
    memset(big, 'z', sizeof big);
    CHECK_OK(comap_channel_publish_batch(channel, big, 10, 10000, in_ms(5), &published, &end)); /* the subscriber does not read */
    CHECK(end == COMAP_TIMED_OUT && published >= 100 && published < 10000);
    CHECK_OK(comap_channel_published(channel, &count));
    CHECK(count == 3 + published);
    receive(subscription, "zzzzzzzzzz", 0);

    end = POISON_END;
    published = 77;
    CHECK(comap_channel_publish_batch(channel, big, 0, 5, COMAP_DEFAULT_DEADLINE, &published, &end) == COMAP_INVALID_ARGUMENT && published == 0);
    published = 77;
    CHECK(comap_channel_publish_batch(channel, big, 2, SIZE_MAX, COMAP_DEFAULT_DEADLINE, &published, &end) == COMAP_INVALID_ARGUMENT && published == 0);
    CHECK(comap_channel_publish_batch(channel, big, 11, 1, COMAP_DEFAULT_DEADLINE, NULL, &end) == COMAP_TOO_LONG && end == POISON_END);
    comap_subscription_close(subscription);
    comap_channel_close(channel);
}

static void test_loans(void) {
    comap_channel* channel = new_channel("loans", NULL);
    comap_subscription* subscription = subscribe(channel, COMAP_FROM_NEXT);
    comap_loan* loan = NULL;
    comap_loan* second = NULL;
    comap_wait_end end = POISON_END;
    uint32_t i;
    CHECK_OK(comap_channel_loan(channel, 10, 1, COMAP_DEFAULT_DEADLINE, &end, &loan));
    CHECK(end == COMAP_ACQUIRED && comap_loan_size(loan) == 10 && comap_loan_count(loan) == 1);
    CHECK(comap_loan_bytes(loan, 0) != NULL && comap_loan_bytes(loan, 1) == NULL);
    end = POISON_END;
    CHECK(comap_channel_loan(channel, 10, 1, COMAP_DEFAULT_DEADLINE, &end, &second) == COMAP_INVALID_ARGUMENT && second == NULL && end == POISON_END);
    CHECK(comap_loan_publish(loan, 11) == COMAP_INVALID_ARGUMENT); /* still there */
    memcpy(comap_loan_bytes(loan, 0), "short", 5);
    receive_nothing(subscription);
    CHECK_OK(comap_loan_publish(loan, 5));
    receive(subscription, "short", 0);

    CHECK_OK(comap_channel_loan(channel, 3, 4, COMAP_DEFAULT_DEADLINE, &end, &loan));
    CHECK(comap_loan_size(loan) == 3 && comap_loan_count(loan) == 4 && comap_loan_bytes(loan, 4) == NULL);
    for (i = 0; i < 4; ++i) memset(comap_loan_bytes(loan, i), 'a' + (int)i, 3);
    CHECK(comap_loan_publish(loan, 2) == COMAP_INVALID_ARGUMENT);
    CHECK_OK(comap_loan_publish(loan, 3));
    receive(subscription, "aaa", 0);
    receive(subscription, "bbb", 0);
    receive(subscription, "ccc", 0);
    receive(subscription, "ddd", 0);

    CHECK_OK(comap_channel_loan(channel, 3, 1, COMAP_DEFAULT_DEADLINE, &end, &loan));
    comap_loan_give_up(loan);
    receive_nothing(subscription);
    publish(channel, "after");
    receive(subscription, "after", 0);

    loan = NULL;
    end = POISON_END;
    CHECK(comap_channel_loan(channel, 3, 0, COMAP_DEFAULT_DEADLINE, &end, &loan) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_channel_loan(channel, 1024, 100000, COMAP_DEFAULT_DEADLINE, &end, &loan) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_channel_loan(channel, 1025, 1, COMAP_DEFAULT_DEADLINE, &end, &loan) == COMAP_TOO_LONG);
    CHECK(loan == NULL && end == POISON_END);
    comap_subscription_close(subscription);
    comap_channel_close(channel);
}

static void subscribe_and_stay(void) {
    comap_channel* channel = open_channel("waited for");
    comap_subscription* subscription = subscribe(channel, COMAP_FROM_NEXT);
    say_ready();
    receive(subscription, "first", 0);
    say_ready();
    for (;;) pause();
}

static comap_subscription* inherited;
static void use_the_parents_subscription(void) {
    comap_wait_end end = POISON_END;
    char buffer[8];
    CHECK(comap_subscription_receive(inherited, buffer, sizeof buffer, 0, &end, NULL, NULL) == COMAP_INVALID_ARGUMENT && end == POISON_END);
    CHECK(comap_subscription_wait(inherited, 0, &end) == COMAP_INVALID_ARGUMENT && end == POISON_END);
}

static void test_publishers_that_wait(void) {
    comap_channel_options options = COMAP_CHANNEL_OPTIONS_INIT;
    comap_open_options read_only = COMAP_OPEN_OPTIONS_INIT;
    comap_channel* channel = NULL;
    comap_channel* other = NULL;
    comap_subscription* subscription = NULL;
    comap_loan* loan = NULL;
    comap_wait_end end = POISON_END;
    uint64_t before;
    pid_t child;
    int i;
    options.message_bytes = 64;
    options.capacity = 10;
    options.subscribers_waited_for = 2;
    options.patience_ns = 30000000;
    channel = new_channel("waited for", &options);
    inherited = subscribe(channel, COMAP_FROM_NEXT);
    finish(start(use_the_parents_subscription));
    child = start(subscribe_and_stay);
    await_ready();
    CHECK(comap_channel_subscribe(channel, COMAP_FROM_NEXT, &subscription) == COMAP_LIMIT_REACHED && subscription == NULL);
    read_only.access = COMAP_READ_ONLY;
    CHECK_OK(comap_channel_open(context, "waited for", NULL, &read_only, &other));
    CHECK(comap_channel_subscribe(other, COMAP_FROM_NEXT, &subscription) == COMAP_PERMISSION_DENIED && subscription == NULL);
    comap_channel_close(other);
    comap_subscription_close(inherited);
    publish(channel, "first");
    await_ready();
    /* The child reads no more: the channel is full after a while. */
    for (i = 0; i < 100000; ++i) {
        CHECK_OK(comap_channel_publish(channel, "x", 1, 0, &end));
        if (end == COMAP_TIMED_OUT) break;
        CHECK(end == COMAP_SENT);
    }
    CHECK(i >= 10 && end == COMAP_TIMED_OUT);
    end = POISON_END;
    before = in_ms(0);
    CHECK_OK(comap_channel_publish(channel, "x", 1, COMAP_DEFAULT_DEADLINE, &end)); /* its own patience: 30 ms */
    CHECK(end == COMAP_TIMED_OUT && in_ms(0) - before >= 30000000u);
    end = POISON_END;
    CHECK_OK(comap_channel_loan(channel, 1, 1, in_ms(2), &end, &loan));
    CHECK(end == COMAP_TIMED_OUT && loan == NULL);
    set_alarms(1);
    CHECK_OK(comap_channel_publish(channel, "x", 1, COMAP_FOREVER, &end));
    CHECK(end == COMAP_INTERRUPTED);
    end = POISON_END;
    CHECK_OK(comap_channel_loan(channel, 1, 1, COMAP_FOREVER, &end, &loan));
    CHECK(end == COMAP_INTERRUPTED && loan == NULL);
    set_alarms(0);
    kill_and_reap(child); /* a dead subscriber stops nobody */
    CHECK_OK(comap_channel_publish(channel, "x", 1, in_ms(60000), &end));
    CHECK(end == COMAP_SENT);
    subscription = subscribe(channel, COMAP_FROM_NEXT);
    comap_subscription_close(subscription);
    comap_channel_close(channel);
}

static void publish_many(void) {
    comap_channel* channel = open_channel("many");
    comap_loan* loan = NULL;
    comap_wait_end end = POISON_END;
    int i;
    for (i = 0; i < 1000; ++i) publish(channel, "m");
    CHECK_OK(comap_channel_loan(channel, 1, 1, COMAP_FOREVER, &end, &loan));
    CHECK(end == COMAP_ACQUIRED);
    _exit(0); /* with the lock */
}

static void test_many_publishers(void) {
    comap_channel_options options = COMAP_CHANNEL_OPTIONS_INIT;
    comap_channel* channel = NULL;
    uint64_t count = 77;
    pid_t child;
    int i;
    options.message_bytes = 8;
    options.many_publishers = 1;
    channel = new_channel("many", &options);
    child = start(publish_many);
    for (i = 0; i < 1000; ++i) publish(channel, "m");
    finish(child);
    publish(channel, "m");
    CHECK_OK(comap_channel_published(channel, &count));
    CHECK(count == 2001);
    comap_channel_close(channel);
}

/* --- queues */

static void test_making_queues(void) {
    comap_queue* queue = NULL;
    comap_queue* other = NULL;
    comap_channel* channel = NULL;
    comap_queue_options options = COMAP_QUEUE_OPTIONS_INIT;
    comap_open_options read_only = COMAP_OPEN_OPTIONS_INIT;
    comap_wait_end end = POISON_END;
    double quote[2] = {1.5, 2.5};
    CHECK(comap_queue_open(context, "q", NULL, NULL, &queue) == COMAP_NOT_FOUND && queue == NULL);
    options.message_bytes = 100;
    options.capacity = 50;
    CHECK_OK(comap_queue_create(context, "q", NULL, &options, &queue));
    CHECK(strcmp(comap_queue_name(queue), "q") == 0 && comap_queue_was_created(queue) == 1 && strcmp(comap_queue_format(queue), "") == 0);
    CHECK(comap_queue_message_bytes(queue) == 100 && comap_queue_ring_bytes(queue) >= 5000);
    CHECK(comap_queue_capacity(queue) >= 50 && comap_queue_patience_ns(queue) == 2000000000);
    check_counts(queue, 0, 0);
    CHECK(comap_queue_create(context, "q", NULL, NULL, &other) == COMAP_ALREADY_EXISTS && other == NULL);
    CHECK_OK(comap_queue_open_or_create(context, "q", NULL, NULL, &other));
    CHECK(comap_queue_was_created(other) == 0 && comap_queue_message_bytes(other) == 100);
    comap_queue_close(other);
    other = NULL;
    CHECK(comap_channel_open(context, "q", NULL, NULL, &channel) == COMAP_LAYOUT_MISMATCH && channel == NULL);
    CHECK(comap_queue_open(context, "q", kQuote, NULL, &other) == COMAP_LAYOUT_MISMATCH && other == NULL);
    CHECK(comap_queue_open(context, "q", "no format", NULL, &other) == COMAP_INVALID_ARGUMENT && other == NULL);
    read_only.access = (comap_access)77;
    CHECK(comap_queue_open(context, "q", NULL, &read_only, &other) == COMAP_INVALID_ARGUMENT && other == NULL);
    read_only.access = COMAP_READ_ONLY;
    CHECK_OK(comap_queue_open(context, "q", NULL, &read_only, &other));
    CHECK(comap_queue_push(other, "x", 1, COMAP_FOREVER, &end) == COMAP_PERMISSION_DENIED);
    CHECK(comap_queue_pop(other, NULL, 0, 0, &end, NULL, NULL) == COMAP_PERMISSION_DENIED && end == POISON_END);
    comap_queue_close(other);
    other = NULL;
    CHECK_OK(comap_queue_set_keep(queue, 1));
    comap_queue_close(queue);
    queue = open_queue("q");
    CHECK_OK(comap_queue_set_keep(queue, 0));
    comap_queue_close(queue);
    CHECK(comap_queue_open(context, "q", NULL, NULL, &other) == COMAP_NOT_FOUND);

    options.message_bytes = 0;
    CHECK(comap_queue_create(context, "q", NULL, &options, &other) == COMAP_INVALID_ARGUMENT);
    options.message_bytes = 1;
    options.capacity = 0;
    CHECK(comap_queue_open_or_create(context, "q", NULL, &options, &other) == COMAP_INVALID_ARGUMENT);
    options.capacity = 1;
    options.struct_size = 1;
    CHECK(comap_queue_create(context, "q", NULL, &options, &other) == COMAP_INVALID_ARGUMENT && other == NULL);
    CHECK(strstr(comap_last_message(), "_INIT") != NULL);
    memset(&options, 0xff, sizeof options); /* of an older version */
    options.struct_size = offsetof(comap_queue_options, capacity);
    options.mode = 0600;
    options.keep = 0;
    options.message_bytes = 8;
    queue = new_queue("q", &options);
    comap_queue_close(queue);

    CHECK_OK(comap_queue_create(context, "q", kQuote, NULL, &queue));
    CHECK(strcmp(comap_queue_format(queue), kQuote) == 0 && comap_queue_message_bytes(queue) == sizeof quote);
    CHECK(comap_queue_push(queue, quote, 8, COMAP_DEFAULT_DEADLINE, &end) == COMAP_INVALID_ARGUMENT && end == POISON_END);
    CHECK_OK(comap_queue_push(queue, quote, sizeof quote, COMAP_DEFAULT_DEADLINE, &end));
    comap_queue_close(queue);
    comap_queue_close(NULL);
    CHECK_OK(comap_item_give_back(NULL));
}

static void push_three(void) {
    comap_queue* queue = open_queue("work");
    push(queue, "one");
    push(queue, "");
    push(queue, "three");
    comap_queue_close(queue);
}

static void test_pushing_and_popping(void) {
    comap_queue* queue = new_queue("work", NULL);
    comap_wait_end end = POISON_END;
    char buffer[8];
    char too_long[1025];
    size_t size = 77;
    int redelivered = 77;
    pid_t child;
    pop_nothing(queue);
    CHECK_OK(comap_queue_wait(queue, in_ms(2), &end));
    CHECK(end == COMAP_TIMED_OUT);
    child = start(push_three);
    pop(queue, "one", 0);
    pop(queue, "", 0);
    end = POISON_END;
    CHECK_OK(comap_queue_wait(queue, COMAP_FOREVER, &end));
    CHECK(end == COMAP_MESSAGE);
    finish(child);
    check_counts(queue, 1, 0); /* waiting took nothing */
    CHECK_OK(comap_queue_counts(queue, NULL, NULL));
    end = POISON_END;
    CHECK(comap_queue_pop(queue, buffer, 4, COMAP_FOREVER, &end, &size, &redelivered) == COMAP_TOO_LONG);
    CHECK(end == POISON_END && size == 77 && redelivered == 77);
    CHECK_OK(comap_queue_pop(queue, buffer, 5, COMAP_DEFAULT_DEADLINE, &end, NULL, NULL)); /* it stayed */
    CHECK(end == COMAP_MESSAGE && memcmp(buffer, "three", 5) == 0);
    memset(too_long, 'x', sizeof too_long);
    end = POISON_END;
    CHECK(comap_queue_push(queue, too_long, sizeof too_long, COMAP_FOREVER, &end) == COMAP_TOO_LONG && end == POISON_END);
    CHECK_OK(comap_queue_push(queue, NULL, 0, 0, &end));
    CHECK(end == COMAP_SENT);
    pop(queue, "", 0);
    check_counts(queue, 0, 0);
    set_alarms(1);
    CHECK_OK(comap_queue_pop(queue, buffer, sizeof buffer, COMAP_FOREVER, &end, NULL, NULL));
    CHECK(end == COMAP_INTERRUPTED);
    end = POISON_END;
    CHECK_OK(comap_queue_wait(queue, COMAP_FOREVER, &end));
    CHECK(end == COMAP_INTERRUPTED);
    set_alarms(0);
    comap_queue_close(queue);
}

static void test_full_queues(void) {
    comap_queue_options options = COMAP_QUEUE_OPTIONS_INIT;
    comap_queue* queue = NULL;
    comap_loan* loan = NULL;
    comap_wait_end end = POISON_END;
    uint64_t before;
    uint64_t pushed;
    options.message_bytes = 64;
    options.capacity = 10;
    options.patience_ns = 30000000;
    queue = new_queue("full", &options);
    for (pushed = 0; pushed < 100000; ++pushed) {
        CHECK_OK(comap_queue_push(queue, "x", 1, 0, &end));
        if (end == COMAP_TIMED_OUT) break;
        CHECK(end == COMAP_SENT);
    }
    CHECK(pushed >= 10 && end == COMAP_TIMED_OUT);
    check_counts(queue, pushed, 0);
    end = POISON_END;
    before = in_ms(0);
    CHECK_OK(comap_queue_push(queue, "x", 1, COMAP_DEFAULT_DEADLINE, &end));
    CHECK(end == COMAP_TIMED_OUT && in_ms(0) - before >= 30000000u);
    end = POISON_END;
    CHECK_OK(comap_queue_loan(queue, 1, in_ms(2), &end, &loan));
    CHECK(end == COMAP_TIMED_OUT && loan == NULL);
    set_alarms(1);
    CHECK_OK(comap_queue_push(queue, "x", 1, COMAP_FOREVER, &end));
    CHECK(end == COMAP_INTERRUPTED);
    set_alarms(0);
    for (; pushed > 0; --pushed) pop(queue, "x", 0);
    push(queue, "room again");
    pop(queue, "room again", 0);

    CHECK_OK(comap_queue_loan(queue, 10, COMAP_DEFAULT_DEADLINE, &end, &loan));
    CHECK(end == COMAP_ACQUIRED && comap_loan_size(loan) == 10 && comap_loan_count(loan) == 1);
    CHECK(comap_loan_publish(loan, 11) == COMAP_INVALID_ARGUMENT);
    memcpy(comap_loan_bytes(loan, 0), "lent", 4);
    CHECK_OK(comap_loan_publish(loan, 4));
    pop(queue, "lent", 0);
    CHECK_OK(comap_queue_loan(queue, 10, COMAP_DEFAULT_DEADLINE, &end, &loan));
    comap_loan_give_up(loan);
    pop_nothing(queue);
    loan = NULL;
    CHECK(comap_queue_loan(queue, 65, COMAP_DEFAULT_DEADLINE, &end, &loan) == COMAP_TOO_LONG && loan == NULL);
    comap_queue_close(queue);
}

static void take_and_stay(void) {
    comap_queue* queue = open_queue("items");
    CHECK_OK(comap_item_confirm(take(queue, "a", 1)));
    (void)take(queue, "b", 1);
    say_ready();
    for (;;) pause();
}

static comap_item* inherited_item;
static void use_the_parents_item(void) {
    CHECK(comap_item_confirm(inherited_item) == COMAP_NOT_OWNER);
    CHECK(comap_item_give_back(inherited_item) == COMAP_NOT_OWNER);
}

static void test_items(void) {
    comap_queue* queue = new_queue("items", NULL);
    comap_queue* more[32];
    comap_item* items[32];
    comap_item* item = NULL;
    comap_wait_end end = POISON_END;
    pid_t child;
    int i;
    CHECK_OK(comap_queue_take(queue, 0, &end, &item));
    CHECK(end == COMAP_TIMED_OUT && item == NULL);
    set_alarms(1);
    CHECK_OK(comap_queue_take(queue, COMAP_FOREVER, &end, &item));
    CHECK(end == COMAP_INTERRUPTED && item == NULL);
    set_alarms(0);
    push(queue, "a");
    push(queue, "b");
    push(queue, "c");
    child = start(take_and_stay);
    await_ready();
    check_counts(queue, 1, 1);
    kill_and_reap(child);
    item = take(queue, "c", 1);
    CHECK_OK(comap_item_confirm(item));
    item = take(queue, "b", 2); /* the dead taker's */
    check_counts(queue, 0, 1);
    CHECK_OK(comap_item_give_back(item));
    check_counts(queue, 1, 0);
    pop(queue, "b", 1);
    check_counts(queue, 0, 0);

    push(queue, "held");
    inherited_item = take(queue, "held", 1);
    finish(start(use_the_parents_item));
    comap_queue_close(queue); /* the item holds the object */
    queue = open_queue("items");
    check_counts(queue, 0, 1);
    push(queue, "later");
    CHECK_OK(comap_item_give_back(inherited_item));
    check_counts(queue, 2, 0);
    pop(queue, "held", 1);
    pop(queue, "later", 0);

    for (i = 0; i < 32; ++i) {
        push(queue, "x");
        more[i] = open_queue("items");
        items[i] = take(more[i], "x", 1);
    }
    push(queue, "y");
    item = NULL;
    end = POISON_END;
    CHECK(comap_queue_take(queue, 0, &end, &item) == COMAP_LIMIT_REACHED && item == NULL && end == POISON_END);
    for (i = 0; i < 32; ++i) {
        CHECK_OK(comap_item_confirm(items[i]));
        comap_queue_close(more[i]);
    }
    pop(queue, "y", 0);
    check_counts(queue, 0, 0);
    comap_queue_close(queue);
}

/* --- waiting among other things */

static void send_both(void) {
    comap_channel* channel = open_channel("among");
    comap_queue* queue = open_queue("others");
    publish(channel, "m");
    comap_channel_close(channel);
    await_ready();
    push(queue, "w");
    comap_queue_close(queue);
}

static void test_waiting_for_several(void) {
    comap_channel* channel = new_channel("among", NULL);
    comap_subscription* subscription = subscribe(channel, COMAP_FROM_NEXT);
    comap_queue* queue = new_queue("others", NULL);
    comap_waitable list[2];
    comap_wait_end end = POISON_END;
    size_t index = 77;
    pid_t child;
    memset(list, 0, sizeof list);
    list[0].queue = queue;
    list[1].subscription = subscription;
    CHECK_OK(comap_wait_any(list, 2, in_ms(2), &end, &index));
    CHECK(end == COMAP_TIMED_OUT);
    child = start(send_both);
    CHECK_OK(comap_wait_any(list, 2, COMAP_FOREVER, &end, &index));
    CHECK(end == COMAP_ACQUIRED && index == 1);
    say_ready();
    CHECK_OK(comap_wait_all(list, 2, COMAP_FOREVER, &end, &index)); /* nothing was taken */
    CHECK(end == COMAP_ACQUIRED);
    finish(child);
    receive(subscription, "m", 0);
    pop(queue, "w", 0);
    list[0].subscription = subscription; /* two in one entry */
    CHECK(comap_wait_any(list, 2, 0, &end, &index) == COMAP_INVALID_ARGUMENT);
    comap_queue_close(queue);
    comap_subscription_close(subscription);
    comap_channel_close(channel);
}

static void test_watching(void) {
    comap_channel* channel = new_channel("among", NULL);
    comap_subscription* subscription = subscribe(channel, COMAP_FROM_NEXT);
    comap_queue* queue = new_queue("others", NULL);
    comap_watcher* watcher = NULL;
    int found = 77;
    uint64_t tag = 77;
    uint32_t version = 77;
    struct pollfd waiting;
    pid_t child;
    CHECK_OK(comap_watcher_create(&watcher));
    CHECK_OK(comap_watcher_add_subscription(watcher, subscription, 1));
    CHECK_OK(comap_watcher_add_queue(watcher, queue, 2));
    CHECK(comap_watcher_add_subscription(watcher, subscription, 2) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_watcher_add_queue(watcher, queue, 1) == COMAP_INVALID_ARGUMENT);
    NEEDS("watcher", comap_watcher_add_subscription(NULL, subscription, 3));
    NEEDS("subscription", comap_watcher_add_subscription(watcher, NULL, 3));
    NEEDS("watcher", comap_watcher_add_queue(NULL, queue, 3));
    NEEDS("queue", comap_watcher_add_queue(watcher, NULL, 3));
    waiting.fd = comap_watcher_descriptor(watcher);
    waiting.events = POLLIN;
    child = start(send_both);
    do {
        CHECK(poll(&waiting, 1, 60000) == 1);
        CHECK_OK(comap_watcher_next(watcher, &found, &tag, &version));
    } while (found == 0);
    CHECK(tag == 1);
    receive(subscription, "m", 0);
    receive_nothing(subscription);
    say_ready();
    do {
        CHECK(poll(&waiting, 1, 60000) == 1);
        CHECK_OK(comap_watcher_next(watcher, &found, &tag, &version));
    } while (found == 0 || tag == 1);
    CHECK(tag == 2);
    pop(queue, "w", 0);
    pop_nothing(queue);
    finish(child);
    CHECK_OK(comap_watcher_remove(watcher, 1));
    CHECK_OK(comap_watcher_remove(watcher, 2));
    comap_watcher_close(watcher);
    comap_queue_close(queue);
    comap_subscription_close(subscription);
    comap_channel_close(channel);
}

/* --- arguments */

static void test_null_arguments(void) {
    comap_channel* channel = NULL;
    comap_subscription* subscription = NULL;
    comap_queue* queue = NULL;
    comap_item* item = NULL;
    comap_loan* loan = NULL;
    comap_wait_end end = POISON_END;
    const void* bytes = NULL;
    char buffer[8];
    size_t size = 77;
    uint64_t count = 77;
    int flag = 77;
    NEEDS("name", comap_channel_create(context, NULL, NULL, NULL, &channel));
    NEEDS("name", comap_channel_open(context, NULL, NULL, NULL, &channel));
    NEEDS("name", comap_channel_open_or_create(context, NULL, NULL, NULL, &channel));
    NEEDS("out", comap_channel_create(context, "x", NULL, NULL, NULL));
    NEEDS("out", comap_channel_open(context, "x", NULL, NULL, NULL));
    NEEDS("out", comap_channel_open_or_create(context, "x", NULL, NULL, NULL));
    NEEDS("name", comap_queue_create(context, NULL, NULL, NULL, &queue));
    NEEDS("name", comap_queue_open(context, NULL, NULL, NULL, &queue));
    NEEDS("name", comap_queue_open_or_create(context, NULL, NULL, NULL, &queue));
    NEEDS("out", comap_queue_create(context, "x", NULL, NULL, NULL));
    NEEDS("out", comap_queue_open(context, "x", NULL, NULL, NULL));
    NEEDS("out", comap_queue_open_or_create(context, "x", NULL, NULL, NULL));
    CHECK(comap_channel_open(context, "x", NULL, NULL, &channel) == COMAP_NOT_FOUND && channel == NULL && queue == NULL);

    NEEDS("channel", comap_channel_set_keep(NULL, 0));
    NEEDS("channel", comap_channel_published(NULL, &count));
    NEEDS("channel", comap_channel_publish(NULL, "x", 1, 0, &end));
    NEEDS("channel", comap_channel_publish_batch(NULL, "x", 1, 1, 0, &count, &end));
    NEEDS("channel", comap_channel_loan(NULL, 1, 1, 0, &end, &loan));
    NEEDS("channel", comap_channel_subscribe(NULL, COMAP_FROM_NEXT, &subscription));
    NEEDS("subscription", comap_subscription_receive(NULL, buffer, 8, 0, &end, &size, &count));
    NEEDS("subscription", comap_subscription_borrow(NULL, 0, &end, &bytes, &size, &count));
    NEEDS("subscription", comap_subscription_release(NULL, &flag));
    NEEDS("subscription", comap_subscription_wait(NULL, 0, &end));
    NEEDS("queue", comap_queue_set_keep(NULL, 0));
    NEEDS("queue", comap_queue_counts(NULL, &count, &count));
    NEEDS("queue", comap_queue_push(NULL, "x", 1, 0, &end));
    NEEDS("queue", comap_queue_loan(NULL, 1, 0, &end, &loan));
    NEEDS("queue", comap_queue_pop(NULL, buffer, 8, 0, &end, &size, &flag));
    NEEDS("queue", comap_queue_take(NULL, 0, &end, &item));
    NEEDS("queue", comap_queue_wait(NULL, 0, &end));
    NEEDS("item", comap_item_confirm(NULL));
    NEEDS("loan", comap_loan_publish(NULL, 0));
    CHECK(subscription == NULL && loan == NULL && item == NULL && bytes == NULL);
    CHECK(strcmp(comap_channel_name(NULL), "") == 0 && strcmp(comap_channel_format(NULL), "") == 0 && comap_channel_was_created(NULL) == 0);
    CHECK(comap_channel_message_bytes(NULL) == 0 && comap_channel_ring_bytes(NULL) == 0 && comap_channel_capacity(NULL) == 0 && comap_channel_patience_ns(NULL) == 0 && comap_channel_has_many_publishers(NULL) == 0);
    CHECK(comap_channel_subscribers_waited_for(NULL) == 0);
    CHECK(comap_subscription_missed_in_all(NULL) == 0 && comap_subscription_number(NULL) == 0);
    CHECK(strcmp(comap_queue_name(NULL), "") == 0 && strcmp(comap_queue_format(NULL), "") == 0 && comap_queue_was_created(NULL) == 0);
    CHECK(comap_queue_message_bytes(NULL) == 0 && comap_queue_ring_bytes(NULL) == 0 && comap_queue_capacity(NULL) == 0 && comap_queue_patience_ns(NULL) == 0);
    CHECK(comap_item_bytes(NULL) == NULL && comap_item_size(NULL) == 0 && comap_item_takings(NULL) == 0);
    CHECK(comap_loan_bytes(NULL, 0) == NULL && comap_loan_size(NULL) == 0 && comap_loan_count(NULL) == 0);

    channel = new_channel("x", NULL);
    queue = new_queue("y", NULL);
    subscription = subscribe(channel, COMAP_FROM_NEXT);
    push(queue, "w");
    NEEDS("count", comap_channel_published(channel, NULL));
    NEEDS("message", comap_channel_publish(channel, NULL, 1, 0, &end));
    NEEDS("end", comap_channel_publish(channel, "x", 1, 0, NULL));
    NEEDS("messages", comap_channel_publish_batch(channel, NULL, 1, 1, 0, &count, &end));
    NEEDS("end", comap_channel_publish_batch(channel, "x", 1, 1, 0, &count, NULL));
    NEEDS("end", comap_channel_loan(channel, 1, 1, 0, NULL, &loan));
    NEEDS("out", comap_channel_loan(channel, 1, 1, 0, &end, NULL));
    NEEDS("out", comap_channel_subscribe(channel, COMAP_FROM_NEXT, NULL));
    receive_nothing(subscription); /* nothing was published */
    publish(channel, "m");
    NEEDS("buffer", comap_subscription_receive(subscription, NULL, 8, 0, &end, &size, &count));
    NEEDS("end", comap_subscription_receive(subscription, buffer, 8, 0, NULL, &size, &count));
    NEEDS("end", comap_subscription_borrow(subscription, 0, NULL, &bytes, &size, &count));
    NEEDS("bytes", comap_subscription_borrow(subscription, 0, &end, NULL, &size, &count));
    NEEDS("size_bytes", comap_subscription_borrow(subscription, 0, &end, &bytes, NULL, &count));
    NEEDS("whole", comap_subscription_release(subscription, NULL));
    NEEDS("end", comap_subscription_wait(subscription, 0, NULL));
    receive(subscription, "m", 0); /* still there */
    NEEDS("message", comap_queue_push(queue, NULL, 1, 0, &end));
    NEEDS("end", comap_queue_push(queue, "x", 1, 0, NULL));
    NEEDS("end", comap_queue_loan(queue, 1, 0, NULL, &loan));
    NEEDS("out", comap_queue_loan(queue, 1, 0, &end, NULL));
    NEEDS("buffer", comap_queue_pop(queue, NULL, 8, 0, &end, &size, &flag));
    NEEDS("end", comap_queue_pop(queue, buffer, 8, 0, NULL, &size, &flag));
    NEEDS("end", comap_queue_take(queue, 0, NULL, &item));
    NEEDS("out", comap_queue_take(queue, 0, &end, NULL));
    NEEDS("end", comap_queue_wait(queue, 0, NULL));
    CHECK(end == POISON_END && size == 77 && count == 77 && flag == 77 && loan == NULL && item == NULL && bytes == NULL);
    check_counts(queue, 1, 0);
    comap_subscription_close(subscription);
    comap_queue_close(queue);
    comap_channel_close(channel);
}

static void test_enums_of_other_objects(void) {
    comap_section* section = NULL;
    comap_view* view = NULL;
    comap_view_options options = COMAP_VIEW_OPTIONS_INIT;
    comap_wait_end end = POISON_END;
    int descriptor = -1;
    CHECK_OK(comap_section_create(context, "enums", 100, NULL, &section));
    options.protection = (comap_protection)77;
    CHECK(comap_view_map(section, &options, &view) == COMAP_INVALID_ARGUMENT && view == NULL);
    CHECK(comap_section_wait(section, 0, 0, (comap_wait_for)77, &end) == COMAP_INVALID_ARGUMENT && end == POISON_END);
    CHECK(comap_section_share_descriptor(section, (comap_access)2, &descriptor) == COMAP_INVALID_ARGUMENT && descriptor == -1);
    comap_section_close(section);
}

int main(void) {
    char root[] = "/dev/shm/comap-test-XXXXXX";
    char command[64];
    CHECK(mkdtemp(root) != NULL);
    CHECK(pipe(ready) == 0);
    CHECK_OK(comap_context_create(root, &context));
    test_making_channels();
    test_channel_options();
    test_channels_of_records();
    test_publishing_and_receiving();
    test_where_subscribers_begin();
    test_roles();
    test_missing();
    test_batches();
    test_loans();
    test_publishers_that_wait();
    test_many_publishers();
    test_making_queues();
    test_pushing_and_popping();
    test_full_queues();
    test_items();
    test_waiting_for_several();
    test_watching();
    test_null_arguments();
    test_enums_of_other_objects();
    comap_context_close(context);
    snprintf(command, sizeof command, "rm -r %s", root);
    CHECK(system(command) == 0);
    printf("%d checks of the C ABI of channels and queues passed\n", checks);
    return 0;
}

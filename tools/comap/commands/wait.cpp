// SPDX-License-Identifier: Apache-2.0
// wait: until any of several objects is ready, or all are.
#include <optional>
#include <variant>
#include <vector>

#include <comap/channel.hpp>
#include <comap/event.hpp>
#include <comap/mutex.hpp>
#include <comap/queue.hpp>
#include <comap/semaphore.hpp>
#include <comap/waiting.hpp>
#include <fmt/format.h>

#include "exit.hpp"
#include "follow.hpp"
#include "kinds.hpp"
#include "object_json.hpp"
#include "patience.hpp"
#include "streams.hpp"
#include "tool.hpp"
#include "unicode.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "wait", "Wait until one of several objects is ready, or all are",
    "  comap wait ready                      until the event is set\n"
    "  comap wait ready stop --timeout 5     prints the name of the first; exit code 124 after 5 s\n"
    "  comap wait --all disk slots           takes a token of each, or nothing\n"
    "  comap wait greeting                   the next change of a text, cell or section\n"
    "  comap wait jobs log                   a message in a queue, or a new one in a channel; it stays there\n"};

constexpr int kOpenTries = 10;  // the name may pass to an object of another kind in between

struct Options {
    std::vector<std::string> names;
    bool all = false;
    bool json = false;
    std::optional<double> timeout_seconds;
};

struct Changing {
    Section object;  // whatever it holds
    std::uint32_t seen = 0;
};

// What is published in it from now on.
struct Listening {
    RawChannel channel;
    RawSubscription subscription;
};

using Target = std::variant<Mutex, Event, Semaphore, RawQueue, Listening, Changing>;

template <typename Object>
Result<Target> target_of(Result<Object>&& object) {
    if (!object) return tl::unexpected(object.error());
    return Target(std::move(*object));
}

Result<Target> open_changing(Tool& tool, const std::string& name) {
    auto section = Section::open(name, {.access = Access::read_only, .owner_uid = {}, .file = {}}, tool.context);
    if (!section) return tl::unexpected(section.error());
    const auto version = section->version();
    if (!version) return tl::unexpected(version.error());
    return Target(Changing{std::move(*section), *version});
}

Result<Target> open_followed(Tool& tool, const std::string& name) {
    auto channel = open_to_subscribe(tool, name);
    if (!channel) return tl::unexpected(channel.error());
    auto subscription = channel->subscribe(From::next);
    if (!subscription) return tl::unexpected(subscription.error());
    return Target(Listening{std::move(*channel), std::move(*subscription)});
}

Result<Target> open_once(Tool& tool, const std::string& name) {
    const auto info = tool.context.stat(name);
    if (!info) return tl::unexpected(info.error());
    switch (info->kind) {
        case Kind::section: break;
        case Kind::mutex: return target_of(Mutex::open(name, {}, tool.context));
        case Kind::event: return target_of(open_to_wait(tool.context, name));
        case Kind::semaphore: return target_of(Semaphore::open(name, {}, tool.context));
    }
    if (info->layout == Layout::queue) return target_of(RawQueue::open(name, {}, tool.context));
    return info->layout == Layout::channel ? open_followed(tool, name) : open_changing(tool, name);
}

Result<Target> open_target(Tool& tool, const std::string& name) {
    auto target = open_once(tool, name);
    const auto was_another = [&] { return !target && (target.error().code == Code::kind_mismatch || target.error().code == Code::layout_mismatch); };
    for (int i = 1; i < kOpenTries && was_another(); ++i) target = open_once(tool, name);
    return target;
}

Result<std::vector<Target>> open_all(Tool& tool, const std::vector<std::string>& names) {
    std::vector<Target> targets;
    for (const auto& name : names) {
        auto target = open_target(tool, name);
        if (!target) return tl::unexpected(target.error());
        targets.push_back(std::move(*target));
    }
    return targets;
}

Waitable waitable_of(Target& target) {
    return std::visit(
        [](auto& object) {
            using Object = std::decay_t<decltype(object)>;
            if constexpr (std::is_same_v<Object, Changing>)
                return Waitable(object.object, object.seen);
            else if constexpr (std::is_same_v<Object, Listening>)
                return Waitable(object.subscription);
            else
                return Waitable(object);
        },
        target);
}

// What wait() took is given back where it would stay ours: mutexes. One that was abandoned stays so, for nobody looked after it.
class Taken {
  public:
    Taken(const Options& options, const std::vector<Target>& targets, const Waited& waited) {
        for (std::size_t i = 0; i < targets.size(); ++i)
            if (options.all || i == waited.index) add(options.names[i], targets[i]);
    }
    ~Taken() {
        for (const Mutex* const mutex : mutexes_) {
            const auto unlocked = mutex->was_abandoned() ? mutex->unlock_abandoned() : mutex->unlock();
            if (!unlocked) fail(unlocked.error());
        }
    }
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;
    const std::vector<std::string>& names() const { return names_; }
    const std::vector<std::string>& abandoned() const { return abandoned_; }

  private:
    void add(const std::string& name, const Target& target) {
        names_.push_back(name);
        const Mutex* const mutex = std::get_if<Mutex>(&target);
        if (mutex != nullptr) mutexes_.push_back(mutex);
        if (mutex != nullptr && mutex->was_abandoned()) abandoned_.push_back(name);
    }
    std::vector<std::string> names_;
    std::vector<std::string> abandoned_;
    std::vector<const Mutex*> mutexes_;
};

int print(Tool& tool, const Options& options, const Taken& taken) {
    if (options.json)
        tool.out.print("{}\n", json_text(Json{{"schema", kJsonSchema}, {"ready", taken.names()}, {"abandoned", taken.abandoned()}}));
    else
        for (const auto& name : taken.names()) tool.out.print("{}\n", escaped(name));
    for (const auto& name : taken.abandoned())
        message(fmt::format("note: the last owner of {} was killed while it had it; it stays abandoned", name));
    return taken.abandoned().empty() ? kOk : kDamaged;
}

int fail_not_ready(const Options& options) {
    if (options.names.size() == 1) return fail_timed_out(options.names[0] + " was not ready");
    return fail_timed_out(fmt::format("{} of the {} objects {} ready", options.all ? "not all" : "none", options.names.size(),
                                      options.all ? "were" : "was"));
}

int run(Tool& tool, const Options& options) {
    auto targets = open_all(tool, options.names);
    if (!targets) return fail_kind(tool.context, targets.error());
    std::vector<Waitable> list;
    for (auto& target : *targets) list.push_back(waitable_of(target));
    const Deadline deadline = deadline_after(options.timeout_seconds);
    const StopSignals stop;
    const auto waited = until_stopped(stop, [&] { return options.all ? wait_all(list, deadline) : wait_any(list, deadline); });
    if (!waited) return fail(waited.error());
    if (waited->end == Acquired::timed_out) return fail_not_ready(options);
    if (waited->end == Acquired::interrupted) return kNegative;  // the signal ends us
    return print(tool, options, Taken(options, *targets, *waited));
}

}  // namespace

void add_wait(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    command.add_option("NAME", options.names, "Mutexes, events, semaphores, queues, channels, texts, cells and sections").required().type_name("");
    command.add_flag("-a,--all", options.all, "Until all are ready at one moment; takes all or nothing");
    command.add_flag("--json", options.json, "Print the names as JSON");
    add_timeout(command, options.timeout_seconds, "Exit code 124 after so many seconds");
}

}  // namespace comap::tool

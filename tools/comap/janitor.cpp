// SPDX-License-Identifier: Apache-2.0
#include "janitor.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "exit.hpp"

namespace comap::tool {
namespace {

// After a file was found alive: by round.
constexpr std::array<std::chrono::milliseconds, 2> kRecheckAfter = {std::chrono::milliseconds(2), std::chrono::milliseconds(1000)};

// How many files are looked at before events are read: fewer than the kernel keeps (16,384 by default).
constexpr std::size_t kLookBatch = 1000;

std::string inode_name(std::uint64_t inode) { return fmt::format("#{}", inode); }

struct Entry {
    std::string file_name;
    std::uint64_t inode;
};

Result<std::vector<Entry>> entries_of(const std::string& path) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (!directory) return tl::unexpected(Error{Code::os_error, errno, "", path + ": " + system_text(errno)});
    std::vector<Entry> entries;
    while (const dirent* const entry = ::readdir(directory.get()))
        if (std::string_view(entry->d_name) != "." && std::string_view(entry->d_name) != "..")
            entries.push_back({entry->d_name, entry->d_ino});
    return entries;
}

bool is_inode_name(const std::string& file_name) { return file_name.starts_with('#'); }

}  // namespace

Result<void> Janitor::begin(const std::vector<Scope>& scopes) {
    auto events = DirectoryEvents::create();
    if (!events) return tl::unexpected(events.error());
    events_ = std::move(*events);
    const auto root_watch = events_.add_for_disappearing(root_);
    if (!root_watch) return tl::unexpected(root_watch.error());
    root_watch_ = *root_watch;
    for (const auto scope : scopes) places_.emplace_back().scope = scope;
    return settle();
}

// Watches and looks until nothing is missing.
Result<void> Janitor::settle() {
    for (auto& place : places_) {
        while (!place.is_complete) {
            if (place.watch < 0)
                if (const auto done = watch(place); !done) return done;
            if (const auto done = look_at_all(place); !done) return done;
        }
    }
    return {};
}

// Two janitors would take each other's looks for closes by holders, and never rest. The claim is on the directory that
// only this user can open.
Result<void> Janitor::claim() {
    const auto path = context_->directory(Scope::local);
    claim_ = Descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!claim_) return tl::unexpected(Error{Code::os_error, errno, "", path + ": " + system_text(errno)});
    if (::flock(claim_.number(), LOCK_EX | LOCK_NB) == 0) return {};
    return tl::unexpected(Error{Code::busy, errno, "", fmt::format("another janitor is at work for {}", path)});
}

// A context keeps the directories that it has opened, also when they were removed.
void Janitor::renew_context() {
    context_.emplace(ContextOptions{root_});
}

Result<void> Janitor::watch(Place& place) {
    renew_context();
    if (const auto done = context_->check(place.scope); !done) return done;
    if (place.scope == Scope::local)
        if (const auto done = claim(); !done) return done;
    const auto watch = events_.add(context_->directory(place.scope));
    if (!watch) return tl::unexpected(watch.error());
    place.watch = *watch;
    say(fmt::format("watching {}", context_->directory(place.scope)));
    return {};
}

Result<void> Janitor::look_at_all(Place& place) {
    place.is_complete = true;  // unless events are lost meanwhile
    const auto entries = entries_of(context_->directory(place.scope));
    if (!entries) return tl::unexpected(entries.error());
    place.name_by_inode.clear();
    place.inode_by_name.clear();
    for (const auto& entry : *entries) remember(place, entry.file_name, entry.inode);
    for (std::size_t i = 0; i < entries->size(); ++i) {
        const auto& file_name = (*entries)[i].file_name;
        if (look(place, file_name) == Looked::busy) plan(place, file_name, Round::first);
        if (i % kLookBatch == kLookBatch - 1) read_events();
    }
    read_events();
    return {};
}

Janitor::Looked Janitor::look(Place& place, const std::string& file_name) {
    place.looked_at.insert(file_name);
    const auto removed = context_->collect_file(place.scope, file_name);
    if (!removed && removed.error().code == Code::busy) return Looked::busy;
    say(!removed ? removed.error().message : *removed ? fmt::format("removed {}", file_name) : "");
    return !removed ? Looked::unusable : *removed ? Looked::removed : Looked::in_use;
}

void Janitor::plan(const Place& place, const std::string& file_name, Round round) {
    const auto index = static_cast<std::size_t>(round);
    auto& rechecks = rechecks_[index];
    if (!rechecks.empty() && rechecks.back().file_name == file_name && rechecks.back().scope == place.scope) return;
    rechecks.push_back({Clock::now() + kRecheckAfter[index], place.scope, file_name});
}

Janitor::Clock::time_point Janitor::next_due() const {
    auto due = Clock::time_point::max();
    for (const auto& rechecks : rechecks_)
        if (!rechecks.empty()) due = std::min(due, rechecks.front().due);
    return due;
}

Result<void> Janitor::work() {
    read_events();
    do_due_rechecks(Round::last);
    do_due_rechecks(Round::first);
    read_events();
    return settle();
}

void Janitor::do_due_rechecks(Round round) {
    auto& rechecks = rechecks_[static_cast<std::size_t>(round)];
    const auto now = Clock::now();
    std::set<std::pair<Scope, std::string>> due;
    for (; !rechecks.empty() && rechecks.front().due <= now; rechecks.pop_front())
        due.emplace(rechecks.front().scope, std::move(rechecks.front().file_name));
    for (const auto& [scope, file_name] : due) {
        Place& place = place_of(scope);
        const Looked looked = look(place, file_name);
        const bool is_there = looked == Looked::in_use || looked == Looked::busy;
        if (is_there && round == Round::first) plan(place, file_name, Round::last);
    }
}

// Reads to the end: what is read after a look, and before the end, may be our own close.
void Janitor::read_events() {
    for (auto events = events_.read(); !events.empty(); events = events_.read()) handle(events);
    for (auto& place : places_) place.looked_at.clear();
}

void Janitor::handle(const std::vector<DirectoryEvent>& events) {
    for (const auto& event : events)
        if (Place* const place = place_of(event.watch)) note_name(*place, event);
    look_at_closed(events);
    note_losses(events);
}

void Janitor::note_name(Place& place, const DirectoryEvent& event) {
    if (event.has_disappeared) forget(place, event.file_name);
    if (!event.has_appeared) return;
    struct stat state = {};
    const auto path = fmt::format("{}/{}", context_->directory(place.scope), event.file_name);
    if (::lstat(path.c_str(), &state) == 0) remember(place, event.file_name, state.st_ino);
}

void Janitor::look_at_closed(const std::vector<DirectoryEvent>& events) {
    std::set<std::pair<int, std::string>> closed;
    for (const auto& event : events) {
        Place* const place = place_of(event.watch);
        if (!event.was_closed || place == nullptr || event.file_name.empty()) continue;  // no name: the directory itself
        const auto named = place->name_by_inode.find(event.file_name);
        const auto& file_name = named == place->name_by_inode.end() ? event.file_name : named->second;
        const bool is_ours = !is_inode_name(event.file_name) && place->looked_at.erase(file_name) > 0;
        if (!is_ours && !is_inode_name(file_name)) closed.emplace(event.watch, file_name);
    }
    for (const auto& [watch, file_name] : closed) {
        Place& place = *place_of(watch);
        const Looked looked = look(place, file_name);
        if (looked == Looked::in_use || looked == Looked::busy) plan(place, file_name, Round::first);
    }
}

// What settle() has to put right: directories that went away, and events that the kernel had no room for.
void Janitor::note_losses(const std::vector<DirectoryEvent>& events) {
    for (const auto& event : events) {
        if (event.watch == root_watch_ && event.has_disappeared) note_lost_directory(event.file_name);
        if (!event.were_lost) continue;
        for (auto& place : places_) place.is_complete = false;
    }
}

void Janitor::note_lost_directory(const std::string& file_name) {
    for (auto& place : places_) {
        if (!context_->directory(place.scope).ends_with("/" + file_name)) continue;
        place.watch = -1;
        place.is_complete = false;
    }
}

void Janitor::remember(Place& place, const std::string& file_name, std::uint64_t inode) {
    forget(place, file_name);
    place.name_by_inode[inode_name(inode)] = file_name;
    place.inode_by_name[file_name] = inode_name(inode);
}

void Janitor::forget(Place& place, const std::string& file_name) {
    const auto found = place.inode_by_name.find(file_name);
    if (found == place.inode_by_name.end()) return;
    const auto named = place.name_by_inode.find(found->second);
    if (named != place.name_by_inode.end() && named->second == file_name) place.name_by_inode.erase(named);
    place.inode_by_name.erase(found);
}

void Janitor::say(const std::string& text) const {
    if (is_verbose_ && !text.empty()) message(text);
}

Janitor::Place* Janitor::place_of(int watch) {
    const auto found = std::find_if(places_.begin(), places_.end(), [&](const Place& place) { return watch >= 0 && place.watch == watch; });
    return found == places_.end() ? nullptr : &*found;
}

Janitor::Place& Janitor::place_of(Scope scope) {
    return *std::find_if(places_.begin(), places_.end(), [&](const Place& place) { return place.scope == scope; });
}

}  // namespace comap::tool

// SPDX-License-Identifier: Apache-2.0
// Following an object: blocked in the library's wait until it changes, its publishers are gone, time is over, or the user
// wants to stop.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <comap/section.hpp>

#include "signals.hpp"

namespace comap::tool {

enum class Followed { changed, alone, timed_out, stopped };

class Follower {
  public:
    // `object`: a Section, a Text or a RawCell, which must outlive this. Changes after `seen` are reported.
    template <typename Object>
    Follower(const Object& object, std::uint32_t seen, Deadline deadline)
        : wait_([&object](std::uint32_t version, Deadline until, WaitFor what) { return object.wait(version, until, what); }),
          version_([&object] { return object.version(); }),
          info_([&object] { return object.info(); }),
          seen_(seen),
          deadline_(deadline) {}

    // The next end of a wait. alone: an object that is not kept has no other holder left, and its last change was reported.
    Result<Followed> next();

    // Of the last change.
    std::uint32_t seen() const { return seen_; }

    // The caller has already seen that one.
    void has_seen(std::uint32_t version) { seen_ = version; }

  private:
    Result<std::optional<Followed>> after_wait(Wait end);
    Result<bool> take_change();
    Result<WaitFor> what_to_wait_for() const;

    std::function<Result<Wait>(std::uint32_t, Deadline, WaitFor)> wait_;
    std::function<Result<std::uint32_t>()> version_;
    std::function<Result<ObjectInfo>()> info_;
    std::uint32_t seen_;
    Deadline deadline_;
    StopSignals stop_;
};

// Says how following ended; the exit code.
int fail_followed(Followed end, const std::string& name);

// A deadline so many seconds from now; none: forever.
Deadline deadline_after(std::optional<double> seconds);

}  // namespace comap::tool

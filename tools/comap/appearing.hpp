// SPDX-License-Identifier: Apache-2.0
// Waiting for an object of a name to be there, told by the kernel.
#pragma once

#include <string>

#include <comap/context.hpp>
#include <comap/deadline.hpp>
#include <comap/error.hpp>

#include "directory_events.hpp"
#include "signals.hpp"

namespace comap::tool {

// The changes of the directory that a name is in.
class Appearing {
  public:
    Appearing(const Context& context, const std::string& name);

    // Blocks until something has changed there, for a moment at most if that cannot be told. False: time is over, or a signal came.
    bool wait(Deadline deadline, const StopSignals& stop);

  private:
    std::string directory_;
    Result<DirectoryEvents> events_;
    bool is_watched_ = false;
};

// What open() gives as soon as that is not not_found; or that, when time is over.
template <typename Open>
auto open_when_there(const Context& context, const std::string& name, Deadline deadline, const StopSignals& stop, const Open& open) {
    auto object = open();
    if (object || object.error().code != Code::not_found || deadline.is_over()) return object;
    Appearing appearing(context, name);
    do {
        object = open();
    } while (!object && object.error().code == Code::not_found && appearing.wait(deadline, stop));
    return object;
}

}  // namespace comap::tool

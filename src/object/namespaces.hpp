// SPDX-License-Identifier: Apache-2.0
// The directories that hold the objects' files: one for this user, one for all.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include <comap/context.hpp>

#include "base/name.hpp"
#include "os/file.hpp"

namespace comap::internal {

// An open namespace directory. Objects keep the one that their name is in.
struct Directory {
    os::Fd fd;
    std::string path;
    Scope scope = Scope::local;
    std::uint64_t sweep_position = 0;           // by the sweeping thread only (sweeping is the claim)
    std::atomic<std::uint64_t> next_sweep_ns{0};  // monotonic
    std::atomic<bool> sweeping{false};
};

// Thread-safe.
class Namespaces {
  public:
    explicit Namespaces(std::string root);
    const std::string& root() const { return root_; }
    std::string path(Scope scope) const;

    // The directory, opened and checked once: owner, type and mode; Local is made if it is not there. Errors: no_namespace.
    Result<std::shared_ptr<Directory>> open(Scope scope);

    // For one who found nothing in it: whether the directory itself was removed, so that open() should be called again.
    bool forget_if_removed(const Directory& directory);

    Result<bool> setup_global();

  private:
    Result<std::shared_ptr<Directory>> open_afresh(Scope scope);
    std::string directory_name(Scope scope) const;

    std::string root_;
    std::uint32_t uid_;
    std::mutex mutex_;  // directories_
    std::array<std::shared_ptr<Directory>, 2> directories_;
};

}  // namespace comap::internal

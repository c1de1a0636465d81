// SPDX-License-Identifier: Apache-2.0
// Processes: this one, children of CreateProcess, and those that were opened by their number.
#pragma once

#include <signal.h>

#include "win32/threads.hpp"

namespace comap::win32 {

class ProcessObject final : public EndingObject {
  public:
    static constexpr Kind kKind = Kind::process;

    // Takes the descriptors: of the process (pidfd), -1 for this process and one that had ended before it could be opened; and of its
    // birth record, -1 if it has none (see inheritance.hpp).
    ProcessObject(DWORD id, int process_descriptor, int birth_record);
    ~ProcessObject() override;

    int share_descriptor() const override;
    int end_descriptor() const override { return descriptor_; }

    // Of children: its first thread, which is signalled with it.
    const std::shared_ptr<ThreadObject>& first_thread() const { return first_thread_; }

    // What it is then said to have ended with, by this object. False if it has ended already, or may not be.
    bool terminate(DWORD exit_code);

  protected:
    std::optional<DWORD> look() override;

  private:
    DWORD code_of(const siginfo_t& end) const;
    DWORD unknown_code() const;

    const int descriptor_;
    const int birth_record_;
    const std::shared_ptr<ThreadObject> first_thread_;
    std::atomic<bool> is_terminated_{false};
    std::atomic<DWORD> terminate_code_{0};
};

std::shared_ptr<KernelObject> current_process_object();

// For children that inherit a handle: the process behind a descriptor of share_descriptor(), which stays the caller's; its number
// is 0 if it has ended and was waited for. Nothing if there is none.
std::shared_ptr<KernelObject> process_from_descriptor(int descriptor);

}  // namespace comap::win32

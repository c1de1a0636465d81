// SPDX-License-Identifier: Apache-2.0
// Threads: those of CreateThread, and any other that asks for a handle to itself.
#pragma once

#include <atomic>

#include "win32/endings.hpp"

namespace comap::win32 {

class ThreadObject final : public EndingObject {
  public:
    static constexpr Kind kKind = Kind::thread;

    // A thread of this process, or the first thread of the child process of that number, which ends with it.
    ThreadObject(DWORD id, DWORD process_id, DWORD suspend_count = 0);

    DWORD process_id() const { return process_id_; }

    void set_exit_code(DWORD code) { code_to_be_.store(code, std::memory_order_relaxed); }
    void end_with_process(DWORD code) { end(code); }  // REQUIRES: the lock

    // For the thread itself, before it runs what it was made for.
    void wait_until_resumed();

    // One less suspension. The count before.
    DWORD resume();

  protected:
    std::optional<DWORD> look() override;

  private:
    const DWORD process_id_;
    std::atomic<DWORD> code_to_be_{0};
    std::atomic<DWORD> suspend_count_;
};

// The calling thread's; always the same one.
std::shared_ptr<KernelObject> current_thread_object();

}  // namespace comap::win32

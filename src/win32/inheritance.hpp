// SPDX-License-Identifier: Apache-2.0
// What a program gets from the one that started it by CreateProcess: the handles that it inherits, and where to leave its exit
// code, of which the kernel would keep 8 bits.
//
// Both are in its birth record, a memory file that the environment variable COMAP_WIN32_BIRTH names by "descriptor:inode". The
// library removes the variable when it is loaded. The record:   offset
//   magic       u64                                                  0
//   row count   u32                                                  8
//   zero        u32                                                 12
//   process     u32, that left its exit code; 0: none yet           16
//   exit code   u32                                                 20
//   rows, one for each inherited handle                             24
//     value         u64, of the handle                               0
//     kind          u32                                              8
//     access        u32                                             12
//     descriptor    i32, from which the object is made              16
//     is protected  u32, from being closed                          20
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <windows.h>

namespace comap::win32 {

// For a child that is about to be made. Closes all its descriptors in the end.
class Birth {
  public:
    // Errors: an errno.
    static std::optional<Birth> make(bool inherits_handles, int& error);
    ~Birth();
    Birth(Birth&& other) noexcept;
    Birth& operator=(Birth&&) = delete;

    std::string variable() const;  // "COMAP_WIN32_BIRTH=..."

    // What the child must have open, under the same numbers. They are close-on-exec.
    std::vector<int> descriptors() const;

    // The record, for the parent to keep.
    int release_record();

  private:
    Birth() = default;
    bool write_record(const std::string& bytes);
    std::string rows(bool inherits_handles);

    int record_ = -1;
    std::vector<int> shared_;  // one for each inherited object
};

inline constexpr char kBirthVariable[] = "COMAP_WIN32_BIRTH";

// The exit code that the process left in the record, all 32 bits of it; none: it left none.
std::optional<DWORD> exit_code_left(int record, DWORD process_id);

// For this process, if it has a birth record.
void leave_exit_code(DWORD code);

}  // namespace comap::win32

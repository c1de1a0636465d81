// SPDX-License-Identifier: Apache-2.0
// Files that were opened by CreateFile, and the standard streams.
#pragma once

#include <optional>
#include <string>

#include "win32/handles.hpp"

namespace comap::win32 {

// What may be done with it is among the access rights of each handle (FILE_READ_DATA, FILE_WRITE_DATA, ...), generic rights
// resolved; the descriptor may be able to do more.
class FileObject final : public KernelObject {
  public:
    static constexpr Kind kKind = Kind::file;

    enum class AtEnd { close, close_and_delete, leave_open };

    FileObject(int descriptor, AtEnd at_end);
    ~FileObject() override;

    int descriptor() const { return descriptor_; }

    // Where the file lies now, absolute; empty if it has no name (a pipe, a deleted file).
    std::string path() const;

    int share_descriptor() const override;

    // Deletes the file if that was asked for; not in the child of a fork. Who is killed leaves it behind.
    void at_process_end() override;

  private:
    int descriptor_;
    AtEnd at_end_;
    int process_id_;
};

// The path that a program means: backslashes are slashes. The last error is set if there is none (NULL, empty, a drive, a server).
std::optional<std::string> native_path(const char* path);

// What an error is called of a call that was given that path: a folder that is missing is told from a file that is.
DWORD path_code(int os_error, const std::string& path);

}  // namespace comap::win32

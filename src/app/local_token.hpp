// SPDX-License-Identifier: Apache-2.0
#pragma once
// The token of the command line on this machine: a file that only its owner can read, in the folder of the data.

#include <filesystem>
#include <string>

namespace freshet {

/// The token of `data_dir`/cli-token. One that is there, is ours alone and has the right form is kept, so that a
/// command that runs over a restart goes on; else a new one is made of 32 random bytes.
/// @throws Failure when the file cannot be written.
std::string local_token(const std::filesystem::path& data_dir);

/// `bytes` random bytes of the system's generator, in lower-case hex.
std::string random_hex(std::size_t bytes);

} // namespace freshet

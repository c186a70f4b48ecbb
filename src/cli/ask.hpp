// SPDX-License-Identifier: Apache-2.0
#pragma once
// What commands that list and change things share: one question with a JSON answer, and how a command is run.
//
// One thread. Errors are values with their exit code and words.

#include "cli/client.hpp"
#include "cli/json.hpp"

#include <string>
#include <string_view>

namespace freshet::cli {

struct Answered {
    HttpAnswer http;
    Json json;
};
/// A GET for a JSON object; a 2xx with anything else in it comes from something that is not freshet.
/// @param what  what is asked for, for the words of a refusal.
CliResult<Answered> ask_json(HttpClient& client, const std::string& path, const std::string& what);
/// Likewise a POST. @param body  JSON, or empty.
CliResult<Answered> tell_json(HttpClient& client, const std::string& path, const std::string& body,
                              const std::string& what);

/// The server's clock as the answer tells it, else this machine's.
WallTime server_now(const CliContext& context, const Answered& answer);
/// "3 min ago"; empty for what is no instant.
std::string ago_words(const Json& at, WallTime now);
/// "in 3 min"; empty likewise.
std::string ahead_words(const Json& at, WallTime now);

/// Whether a list has rows of more than one tenant, so that each has to say whose it is.
bool of_several_tenants(const Json& items);
/// `&name=value` for what is not empty.
std::string query_part(std::string_view name, std::string_view value);
/// The answer as one line of JSON on stdout.
void print_json(CliContext& context, const Answered& answer);
/// "more: --after ..." where the list goes on.
void tell_more(CliContext& context, const Json& list);

/// A file's text, or that of stdin for "-". Exit 2 for what cannot be read.
CliResult<std::string> read_text(const CliContext& context, const std::string& file);

/// Runs a command under the guard of interrupts and tells its error.
template <class Options>
int run_guarded(CliContext& context, const Options& options, CliResult<void> (*command)(CliContext&, const Options&))
{
    const InterruptGuard guard{context};
    const auto done = command(context, options);
    return done ? exit_done : tell(context, done.error());
}

} // namespace freshet::cli

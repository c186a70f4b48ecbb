// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.hpp"
#include "cli/json.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace freshet::cli {

std::string_view init_text()
{
    return R"toml(# freshet keeps these sources fresh. All settings: freshet help config
[server]
listen   = "127.0.0.1:7878"
data_dir = "./data"

[source.disk]                             # freshet get disk
kind   = "command"
run    = ["df", "--output=target,pcent"]  # a list, never a shell
format = "table"
key    = ["Mounted on"]                   # the column that names a row, so that a diff can say what changed
every  = "30s"                            # and whenever someone asks: freshet refresh disk --wait 10s

# [source.rates]                          # freshet get rates/EUR
# kind   = "http"
# url    = "https://api.example.com/rates?base={base}"
# params = { base = ["USD", "EUR"] }
# select = ".rates | to_entries"          # jq over the answer
# fresh_for = "5m"
)toml";
}

int run_init(CliContext& context, const CommonOptions& options)
{
    const std::string& file = options.config;
    const std::string path = file.empty() ? (context.folder / "freshet.toml").string() : file;
    // O_EXCL: of two that run at once one is refused, and a link is not followed.
    const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (descriptor < 0 && errno == EEXIST)
        return tell(context, {exit_failed, fmt::format("{} is there already and stays as it is", path),
                              "freshet serve, or freshet init --config OTHER.toml"});
    if (descriptor < 0)
        return tell(context, {exit_failed, fmt::format("{} cannot be written: {}", path, std::strerror(errno)),
                              "another folder"});
    const std::string_view text = init_text();
    const bool written = write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (close(descriptor) != 0 || !written)
        return tell(context, {exit_failed, fmt::format("{} cannot be written: {}", path, std::strerror(errno)),
                              "more space on the disk"});
    context.out << (options.json ? json_of_texts({{"config", path}}) : path) << std::endl;
    context.err << "next: freshet serve" << (file.empty() ? "" : " --config " + file) << ", then freshet get disk"
                << std::endl;
    return exit_done;
}

} // namespace freshet::cli

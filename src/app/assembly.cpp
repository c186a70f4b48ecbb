// SPDX-License-Identifier: Apache-2.0
#include "app/assembly.hpp"

#include "app/local_token.hpp"
#include "app/own_program.hpp"
#include "app/web_files.hpp"
#include "base/log.hpp"
#include "engine/prepare.hpp"
#include "facade/facades.hpp"
#include "http/gate.hpp"
#include "http/session.hpp"
#include "runners/command/command_runner.hpp"
#include "runners/http/http_runner.hpp"
#include "runners/shape/pool_call.hpp"
#include "runners/shape/shaper.hpp"
#include "runners/sql/sql_runner.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <thread>
#include <utility>

namespace freshet {

namespace {

/// What a stop gives to answers that are on their way; with the runners' own grace it stays below 5 s.
constexpr Millis answers_within = 3s;
/// A step that takes longer makes the server not ready: who balances load should ask another one.
constexpr Millis step_told = 5s;
/// More than cores: most of a child's time may be one that spins until its limit.
const int children = std::max(4, static_cast<int>(std::thread::hardware_concurrency()));

} // namespace

Assembly::Assembly(std::shared_ptr<const Definitions> definitions, std::shared_ptr<const FacadeSet> facades)
    : definitions_{std::move(definitions)}, boot_{random_hex(8)}, reserve_{definitions_->server.data_dir},
      store_{open_store()}, local_token_{local_token(definitions_->server.data_dir)},
      reads_{[this] { return store_->reader(); }}, loops_{http::Server::loops_for(definitions_->server.loops)},
      tail_{loops_},
      engine_{std::make_unique<Engine>(*store_, tail_, metrics_,
                                       EngineOptions{definitions_, boot_, [this] { return clock_.drift(); },
                                                     [this] { return reserve_.look(clock_.steady()); }})},
      engine_thread_{[this](std::vector<Posted> group, WallTime now) { return step(std::move(group), now); },
                     [this] { return tail_.backlog(); }, clock_, metrics_},
      services_{.metrics = metrics_,
                .reads = reads_,
                .instance = boot_,
                .version = FRESHET_VERSION,
                .started_at = clock_.wall(),
                .epoch = reads_.epoch(),
                .components = [this] { return components(); },
                .openapi = nullptr,
                .speed = definitions_->speed,
                // Known by the data's own token: a restart signs nobody out, two servers on a machine stay apart.
                .cookie = fmt::format("freshet_{}", http::sha256_hex("cookie " + local_token_).substr(0, 8)),
                .web = web_files()},
      shape_pool_{{.executable = own_program, .count_max = children}},
      facades_{std::make_shared<facade::Facades>(loops_, std::move(facades), shape_call())}
{
    engine_->start(clock_.wall());
    server_ = std::make_unique<http::Server>(http::ServerOptions{.listen = definitions_->server.listen,
                                                                 .loops = loops_,
                                                                 .clock = clock_,
                                                                 .engine = engine_thread_,
                                                                 .tail = tail_,
                                                                 .services = services_,
                                                                 .definitions = definitions_,
                                                                 .local_token = local_token_,
                                                                 .routes = http::all_routes(),
                                                                 .own_routes = facades_,
                                                                 .stop_within = answers_within});
    runners_.push_back(std::make_unique<HttpRunner>(clock_, shape_call()));
    runners_.push_back(std::make_unique<CommandRunner>(clock_, shape_call()));
    runners_.push_back(std::make_unique<SqlRunner>(clock_));
    host_ = std::make_unique<RunnerHost>(
        engine_thread_, RunnerSet{.http = runners_[0].get(), .command = runners_[1].get(), .sql = runners_[2].get()},
        [this](FlightData data, const SourceDefinition& source, const std::string& tenant, const std::string& key) {
            return prepare_result(std::move(data), source, tenant, key);
        },
        clock_, metrics_, definitions_,
        RunnerHostOptions{.worker = fmt::format("builtin-{}", boot_),
                          .seed = static_cast<std::uint64_t>(to_ms(clock_.wall()))});
}

Assembly::~Assembly()
{
    stop();
}

void Assembly::start()
{
    // The engine first, so that the first request finds it; the runners last, so that a port in use fetches nothing.
    engine_thread_.start();
    server_->start();
    host_->start();
}

std::string Assembly::sign_in_link()
{
    http::Caller caller{"cli", "*", Role::admin, true, true};
    caller.token = http::sha256_hex(local_token_);
    const std::string link = http::random_text("fsl_", 32);
    services_.links->put(http::sha256_hex(link), std::move(caller), clock_.wall());
    return "/console/#link=" + link;
}

void Assembly::stop()
{
    if (std::exchange(stopped_, true)) return;
    // At the same time: both wait for others, and who waits for an answer may yet get it from a flight that ends.
    std::thread host{[this] { host_->stop(); }};
    server_->stop();
    host.join();
    engine_thread_.stop();
    shape_pool_.stop();
    plain_pool_.stop();
    // Replies that no loop took hold what belongs to the loops: they go first.
    for (int core = 0; core < loops_; ++core)
        tail_.drain(core, tail_.published(), [](const auto&) {}, [](const auto&) {});
    engine_.reset();
}

bool Assembly::reconfigure(std::shared_ptr<const Definitions> definitions, std::shared_ptr<const FacadeSet> facades)
{
    return engine_thread_.post(Reconfigure{definitions}, -1, [this, definitions, facades](const Reply& reply) {
        if (!reply) {
            log::error("config not put in force", {{"error", reply.error().message}});
            return;
        }
        host_->reconfigure(definitions);
        facades_->reconfigure(facades);
        log::info("config in force", {{"sources", definitions->sources.size()}});
    });
}

std::unique_ptr<Store> Assembly::open_store()
{
    // A disk that is full already has room for what opening takes once the reserve is given up.
    std::error_code made_by_the_store;
    if (std::filesystem::is_directory(definitions_->server.data_dir, made_by_the_store)) reserve_.look(clock_.steady());
    return open_sqlite_store({.data_dir = definitions_->server.data_dir});
}

std::optional<WallTime> Assembly::step(std::vector<Posted> group, WallTime now)
{
    const auto wake = engine_->step(std::move(group), now);
    if (engine_->store_failing()) {
        reserve_.note_failure();
        throw StoreFailure{"the last group was not kept"};
    }
    return wake;
}

std::vector<http::Component> Assembly::components() const
{
    std::vector<http::Component> all{{"store"}, {"engine"}, {"disk"}};
    if (std::string full = reserve_.words(); !full.empty()) {
        all[2].ready = false;
        all[2].text = std::move(full);
    }
    if (engine_thread_.store_failing()) {
        all[0].ready = false;
        all[0].text = "the last commit failed; see the log, and look at the disk's space";
    }
    if (const Millis busy = engine_thread_.busy_for(); busy > step_told) {
        all[1].ready = false;
        all[1].text = fmt::format("a commit has been running for {}; look at the disk", to_text(busy));
    }
    return all;
}

ShapeCall Assembly::shape_call()
{
    return [this, in_child = freshet::shape_call(shape_pool_)](ShapeOrder order, Millis limit, ShapeAnswer answer) {
        // A source whose jq holds every child must not make others wait who need none (F9).
        if (!needs_child(order)) {
            auto shared = std::make_shared<ShapeOrder>(std::move(order));
            if (!plain_pool_.submit([shared, answer] { answer(Shaper{}.shape(std::move(*shared), ShapeLimits{})); }))
                answer(shape_error(ShapeErrorCode::busy, "too many answers wait to be shaped"));
            return;
        }
        in_child(std::move(order), limit, std::move(answer));
    };
}

PreparedResult Assembly::prepare_result(FlightData data, const SourceDefinition& source, const std::string& tenant,
                                        const std::string& key)
{
    std::shared_ptr<const KeyView> published;
    try {
        published = reads_.view(tenant, key);
    } catch (const Failure& failure) {
        // Without what is published there is no diff; a good result is worth more than its diff.
        log::warn("published version not read", {{"key", key}, {"tenant", tenant}, {"error", failure.what()}});
    }
    const bool has_base = published && published->record.has_data && published->body;
    return prepare(std::move(data), source, has_base ? published->record.ver : 0,
                   has_base ? published->body.get() : nullptr);
}

} // namespace freshet

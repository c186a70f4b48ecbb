// SPDX-License-Identifier: Apache-2.0
// Batches in a SqliteTransaction.
#include "store/sqlite/job_statements.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/transaction.hpp"

namespace freshet::sqlite {

namespace {

std::uint64_t hash_of_texts(const Batch& batch)
{
    if (!batch.then || (batch.then->input.empty() && batch.then->items.empty())) return 0;
    const std::uint64_t hash = hash64(batch.then->items, hash64(batch.then->input));
    return hash == 0 ? 1 : hash;
}

} // namespace

std::vector<Job> SqliteTransaction::gated_items(BatchId batch, int limit)
{
    Query query{connection_, sql::read_gated};
    return noted(all(query.bind(batch, limit), take_job));
}

void SqliteTransaction::put_batch(const Batch& batch, std::optional<WallTime> timer_at)
{
    const std::uint64_t texts = hash_of_texts(batch);
    std::optional<std::uint64_t> old;
    {
        Query query{connection_, sql::read_batch_before};
        old = first(query.bind(batch.id), [](Query& row) { return row.next<std::uint64_t>(); });
    }
    const std::string record = pack_batch(batch);
    const auto ended = is_terminal(batch.state) ? batch.finished_at : std::nullopt;
    {
        Query query{connection_, old ? sql::update_batch : sql::insert_batch};
        Binder bind{query};
        bind(batch.id, batch.tenant, batch.queue, batch.state, texts);
        query.put_blob(record);
        bind(timer_at, ended);
        query.run();
    }
    if (old && sqlite3_changes64(connection_.raw()) == 0)
        refuse(fmt::format("batch {} was put with another tenant or queue", to_text(batch.id)));
    if (texts == old.value_or(0)) return;
    if (texts == 0)
        Query{connection_, sql::drop_batch_texts}.bind(batch.id).run();
    else
        Query{connection_, sql::put_batch_texts}.bind(batch.id, batch.then->input, batch.then->items).run();
}

std::vector<Batch> SqliteTransaction::batch_timers_due(WallTime now, int limit)
{
    Query query{connection_, sql::read_batch_timers_due};
    return all(query.bind(now, limit), [this](Query& row) { return reads_.take_batch(row); });
}

std::vector<Ended<BatchId>> SqliteTransaction::ended_batches(std::string_view tenant, WallTime before, int limit)
{
    Query query{connection_, sql::read_ended_batches};
    return all(query.bind(tenant, before, limit), [](Query& row) {
        Ended<BatchId> ended;
        Taker{row}(ended.id, ended.at);
        return ended;
    });
}

void SqliteTransaction::drop_batch(BatchId id)
{
    if (Query{connection_, sql::has_items}.bind(id).row())
        refuse(fmt::format("batch {} still has items; they go first", to_text(id)));
    Query{connection_, sql::drop_batch_texts}.bind(id).run();
    Query{connection_, sql::drop_batch}.bind(id).run();
}

} // namespace freshet::sqlite

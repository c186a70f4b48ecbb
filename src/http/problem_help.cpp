// SPDX-License-Identifier: Apache-2.0
#include "http/problem_help.hpp"

#include "http/page_parts.hpp"

#include <algorithm>
#include <array>

namespace freshet::http {

namespace {

constexpr std::array helps{
    // Requests that can not be understood.
    ProblemHelp{"bad_body", "The body can not be used",
                "The body is no JSON, or holds a member or a value that is not known here.",
                "Send what `try` shows, with Content-Type: application/json."},
    ProblemHelp{"bad_key", "A key can not be used",
                "A key is a source and all its declared parameters, in the order in which the config declares them.",
                "GET /v1/freshness lists keys that exist."},
    ProblemHelp{"bad_param", "A parameter of the key is not allowed",
                "The config declares which values or which pattern each parameter of a source takes.",
                "Use one of them, or allow it in the config."},
    ProblemHelp{"bad_parameter", "A parameter of the query can not be used",
                "A name or a value in the query is not known here. Nothing is ignored silently.",
                "See /openapi.json for what each route takes."},
    ProblemHelp{"bad_query", "The query can not be read", "A % escape in the query is broken.",
                "Percent-encode each value."},
    ProblemHelp{"bad_request", "The request can not be carried out",
                "What was asked contradicts itself, the config or a bound; detail says how.",
                "Mend what detail names. Of topics: name 1 to 100; data/{source}/* stands for all keys of a source."},
    ProblemHelp{"bad_message", "The message can not be used",
                "What a reader sends over a WebSocket is one JSON object with lists of topics: add, drop, or both.",
                "Open the stream anew with its cursor, and send what `try` shows."},
    ProblemHelp{"websocket_version", "Another version of WebSocket is needed", "Version 13 (RFC 6455) is spoken here.",
                "Send Sec-WebSocket-Version: 13."},
    ProblemHelp{"subprotocol", "No subprotocol that is spoken here was offered",
                "Sec-WebSocket-Protocol names none that is known.", "Offer freshet.v1.json, or none."},
    ProblemHelp{"malformed", "The request can not be read", "It is not HTTP/1.1 as RFC 9112 has it.",
                "Look at the client or the proxy in between."},
    ProblemHelp{"target", "The request's target is no path", "Only paths are served here.",
                "Ask with a path that begins with /."},
    ProblemHelp{"target_too_long", "The URL is too long", "Path and query have a bound.",
                "Send fewer topics or parameters at once."},
    ProblemHelp{"head_too_large", "The request has too many headers", "Number and size of headers have bounds.",
                "Look at what cookies and proxies add."},
    ProblemHelp{"body_too_large", "The body is too large", "Bodies have a bound, which detail names.",
                "Send it in parts."},
    ProblemHelp{"too_slow", "The request took too long to come", "Head and body have to arrive within a bound.",
                "Send it again."},
    ProblemHelp{"expectation", "Unknown expectation", "Only 100-continue can be expected.",
                "Leave the Expect header out."},
    ProblemHelp{"version", "Not HTTP/1.1", "Other versions are the business of a proxy in front.", "Ask in HTTP/1.1."},
    ProblemHelp{"idempotency_key", "The Idempotency-Key is too long", "It may have 255 bytes.", "Use a UUID."},
    ProblemHelp{"idempotency_reused", "The Idempotency-Key was used for another request",
                "The same key came before with another path or body, within 24 hours.",
                "Use a new key for each new request."},
    ProblemHelp{"content_type", "The body's type must be JSON",
                "A body that changes something has to say that it is JSON, so that no foreign form can send it.",
                "Send Content-Type: application/json."},
    ProblemHelp{"not_acceptable", "A diff has two forms",
                "Accept names neither application/vnd.freshet.diff+json nor application/json-patch+json.",
                "Accept one of them, or leave Accept out."},
    // Who may ask.
    ProblemHelp{
        "token_missing", "A token is needed",
        "Once a token exists every request needs one; without any, only callers on the same machine are let in.",
        "Send Authorization: Bearer with a token."},
    ProblemHelp{"token_expired", "The token has expired", "It was made for a time, which is over.",
                "Ask whoever made it for a new one: freshet token new."},
    ProblemHelp{"limited_token", "Not with a short token",
                "A short token reads, and perhaps refreshes, keys of the sources that it names, reads jobs and batches "
                "of the queues that it names, and nothing else.",
                "Use a token that is not limited."},
    ProblemHelp{"link_used", "The link does not sign in any more",
                "A link signs one browser in, within 15 minutes; a restart of the server forgets it.",
                "freshet console prints another one; or sign in with a token."},
    ProblemHelp{"link_without_token", "A link stands for a token",
                "A link signs a browser in with the token that it was made with; this request had none.",
                "Ask with Authorization: Bearer; the command line does: freshet console."},
    ProblemHelp{"no_web", "This server has no console",
                "It was built on a machine without Node 20.19 or newer, which builds the console and the elements. "
                "Everything else works.",
                "Build it with ./dev build, which brings Node, or take a package; meanwhile: freshet top."},
    ProblemHelp{"ticket_unknown", "The ticket is not known",
                "Tickets are kept in memory: a restart forgets them, and they end with the token they came from.",
                "Get a new one: POST /v1/stream-tickets."},
    ProblemHelp{"ticket_late", "The ticket is too old",
                "A ticket opens a stream within 30 s; after that it only reopens that stream, with its cursor.",
                "Get a new one: POST /v1/stream-tickets."},
    ProblemHelp{"ticket_used", "The ticket is of another stream", "It has opened a stream of other topics.",
                "Get one for each stream."},
    ProblemHelp{"token_taken", "The token's name is taken",
                "Names of tokens are unique over all tenants: audit and limits call their bearers by them. A repeated "
                "request is refused, too, since a token is shown only once.",
                "Choose another name, or revoke that token first."},
    ProblemHelp{"token_in_file", "The config file has this token",
                "Tokens of the file can not be changed over the API.",
                "Change or remove it in the file; a save is enough."},
    ProblemHelp{"tokens_full", "There are too many tokens", "There may be 10,000, of which 8,000 short ones.",
                "Revoke those that nobody uses; short ones go by themselves."},
    ProblemHelp{"streams_full", "The tenant has as many streams as it may have",
                "limits.streams of the tenant says how many streams and long polls may be open at once.",
                "Close one, share one between pages, or raise the limit."},
    ProblemHelp{"too_many_requests", "Too many requests",
                "limits.requests of the tenant, or requests of [server], says how often one token may ask, or one "
                "address where there is no token.",
                "Wait until retry_at; a stream tells of changes without asking."},
    ProblemHelp{
        "storage_full", "There is no room for more",
        "limits.storage of the tenant says how many bytes of data it may keep; or the disk of data_dir is full. "
        "What is there is shown on, and what runs can end; nothing new is taken on until there is room.",
        "Purge keys, keep fewer versions, or raise the limit; where the disk is full, free space on it."},
    ProblemHelp{"token_form", "The token is not a Bearer token", "Authorization has another form.",
                "Send Authorization: Bearer and the token."},
    ProblemHelp{"token_unknown", "The token is not known", "No token has this hash; it may have been revoked.",
                "Ask for a new token."},
    ProblemHelp{"forbidden", "Not allowed", "The token's role does not have this right.",
                "Use a token of an operator or admin; a viewer needs refresh = true to refresh."},
    ProblemHelp{"foreign_origin", "A foreign page may not change anything here",
                "The request came from a web page of another origin.",
                "Add the origin to server.origins if that page is yours."},
    ProblemHelp{"misdirected", "Not a name of this server",
                "The Host header is neither loopback nor that of server.public_url; this keeps foreign names that "
                "resolve to this machine out.",
                "Set server.public_url, or ask by 127.0.0.1."},
    ProblemHelp{"tenant", "Not your tenant", "The token speaks for one tenant, another one was named.",
                "Leave the tenant out."},
    ProblemHelp{"tenant_missing", "Of which tenant?", "The token is of all tenants, and this has to be asked of one.",
                "Name it: ?tenant=NAME."},
    ProblemHelp{"tenant_unknown", "No such tenant", "The config has no tenant of that name.",
                "Name one of the config."},
    ProblemHelp{
        "tenant_gone", "Its tenant has left",
        "The token speaks for a tenant that the config no longer has. Nothing is fetched or handed out for it; its "
        "data is kept for 7 days.",
        "Put [tenant.NAME] back, or use a token of another tenant."},
    // What is not there.
    ProblemHelp{"not_found", "Not found", "There is nothing under that id or path, or it belongs to another tenant.",
                "Look at the id; ended jobs are kept for a while only."},
    ProblemHelp{"unknown_tag", "No source has this tag",
                "A purge by tags names the sources that bear one of them, and none of this tenant's bears this one.",
                "Give a source tags = [...] in the config, or name keys."},
    ProblemHelp{"unknown_source", "No such source",
                "The config has no source of that name, or the tenant does not list it.",
                "GET /v1/freshness lists what there is."},
    ProblemHelp{"unknown_key", "No such key", "The source was removed from the config.",
                "Put it back into the config and save."},
    ProblemHelp{"unknown_topic", "No such topic",
                "Topics are data/{key}, data/{source}/*, job/{id}, jobs/{queue} and freshness.",
                "Look at how the topic is written."},
    ProblemHelp{"no_version", "No such version", "The version never was, or is not kept any more.",
                "GET …/versions lists what is kept; versions_max of the source says how many."},
    ProblemHelp{"not_public", "The source is not public",
                "The path with the tenant in it is for answers that shared caches may store.",
                "Read /v1/data/{key}, or set public = true on the source."},
    ProblemHelp{"source_removed", "The source was removed from the config",
                "Its jobs end, its data is kept for 7 days in case it comes back.",
                "Put it back into the config and save."},
    ProblemHelp{"method", "Not with this method", "The path is known, the method is not; Allow names those that are.",
                "Use one of those."},
    // Data that is not there yet, or not fresh enough.
    ProblemHelp{"cold", "There is no data yet",
                "The key was never read, and the source did not answer within the wait.",
                "Ask again after Retry-After; the work goes on."},
    ProblemHelp{"not_cached", "Nothing is there", "only-if-cached was asked, and nothing is.",
                "Ask without only-if-cached."},
    ProblemHelp{"too-old", "Not fresh enough",
                "What is there is older than max_age, and nothing newer came within the wait.",
                "Refresh the key, or allow more age."},
    ProblemHelp{"gen_unreachable", "Nothing brings that gen",
                "min_gen asks for a gen that no running refresh will reach.",
                "Refresh the key; its receipt names the gen."},
    ProblemHelp{"paused", "The source is paused", "Somebody paused it; what is there is still served.",
                "POST /v1/sources/{source}/resume."},
    ProblemHelp{"held", "The new result was held back",
                "It was empty, much smaller, of another shape, or older than what is there. The good data stays.",
                "Look at it, then accept or discard it."},
    ProblemHelp{"failed", "The refresh failed",
                "The source did not give a usable answer; detail says why. The last good data stays.",
                "Look at the source; the next try comes by itself at retry_at."},
    ProblemHelp{"cancelled", "The refresh was cancelled", "Somebody cancelled the job before it ended.", "Ask again."},
    ProblemHelp{"purged", "The data was purged meanwhile",
                "The key was deleted or purged after this refresh was asked for.", "Ask again."},
    ProblemHelp{"no_diff", "The two versions can not be compared", "One of them is no JSON that can be read.",
                "Read both versions whole."},
    ProblemHelp{"poll_too_large", "The present state is too large for one answer",
                "A poll answers with all of it at once.", "Name fewer topics, or use /v1/stream."},
    // Limits.
    ProblemHelp{"limited", "Too often",
                "A limit on refreshes by hand was hit, or the source asked for a pause. Joining one that runs is free.",
                "Wait until retry_at."},
    ProblemHelp{"keys_full", "The source has as many keys as it may have",
                "keys_max bounds them, since readers can mint keys of a pattern.",
                "Raise keys_max, or read keys that exist."},
    ProblemHelp{"busy", "The server is busy", "An inbox is full; nothing was taken on.", "Ask again in a second."},
    ProblemHelp{"connections", "Too many connections", "Connections have a bound, in all and per peer.",
                "Close some, or raise server.connections_max."},
    // Jobs.
    ProblemHelp{"not_running", "The job does not run", "It ended, or was never handed out.", "Look at its state."},
    ProblemHelp{"lease_lost", "The lease is not yours any more",
                "The job was given to somebody else, was cancelled or reset, or ended. A result that came late is kept "
                "for a day, and a person may adopt it.",
                "Stop this work, do not send it again, and claim anew."},
    ProblemHelp{"unprepared", "The result was not made ready", "A mistake of the server.",
                "Send it again; report it if it stays."},
    ProblemHelp{"unique_taken", "The unique key is taken",
                "Another job of this queue has the same unique key, and the request asked to be refused then.",
                "Look at the job that is named, or ask with on_conflict = attach."},
    ProblemHelp{"queue_full", "Too many jobs wait", "A bound on waiting jobs is reached; detail names it.",
                "Let workers catch up, cancel what nobody needs, or raise the bound."},
    ProblemHelp{"no_result", "The job has no result", "It ended without one, or was not a task.",
                "Of a refresh read /v1/data/{key}; else look at the job's error."},
    ProblemHelp{"no_worker", "No such worker", "No worker of that name has called since the server started.",
                "GET /v1/workers lists those that have."},
    ProblemHelp{"no_queue", "No such queue", "No config, job or worker names a queue of that name.",
                "GET /v1/queues lists what there is."},
    ProblemHelp{"batch_over", "The batch is over", "It ended; nothing can be added or changed.",
                "Retry its failed items, or make a new batch."},
    ProblemHelp{"batch_sealed", "The batch is sealed", "A sealed batch takes no further items.",
                "Make a new batch for them."},
    ProblemHelp{"batch_live", "The batch has not ended", "This can be done with an ended batch only.",
                "Wait for its end, or cancel it."},
    ProblemHelp{"item_taken", "The item's key is taken", "Another item of the batch has that key and another input.",
                "Give each item a key of its own."},
    ProblemHelp{"not_caller_driven", "Workers drive this batch",
                "process-next is for batches that were made with driver = caller.", "Leave its items to the workers."},
    ProblemHelp{"already_over", "It is over already", "Ended jobs change by retry only.",
                "Retry it to have it run again."},
    ProblemHelp{"not_terminal", "Its state does not allow this",
                "What failed or was cancelled can be retried; a held or late result can be adopted; a result is there "
                "once the job has ended.",
                "Look at the job's state. What still waits or runs can be cancelled, or waited for."},
    ProblemHelp{"generation_changed", "It was retried meanwhile", "Somebody retried the job since it was shown.",
                "Look at it again before you retry it."},
    ProblemHelp{"no_held", "Nothing is held on this key", "It may have been decided already.",
                "Look at the key again."},
    ProblemHelp{"held_changed", "Another result is held by now", "What was shown was replaced by a later one.",
                "Look at the held result again, then decide."},
    // The server itself.
    ProblemHelp{"store_failed", "The store can not answer",
                "The data file could not be read or written; nothing was changed.", "Look at /readyz and at the disk."},
    ProblemHelp{"stopping", "The server is stopping", "It ends in order and will be back.",
                "Ask again in a few seconds."},
    ProblemHelp{"unanswered", "The request was dropped", "This is a mistake of ours.", "Look at the server's log."},
};

} // namespace

std::span<const ProblemHelp> problem_helps()
{
    return helps;
}

std::string problem_page(std::string_view code, std::string_view style)
{
    const auto found = std::ranges::find(helps, code, &ProblemHelp::code);
    const ProblemHelp help =
        found != helps.end() ? *found
                             : ProblemHelp{code, "A failure of a source",
                                           "The last attempt ended with this code; the problem's detail has the words.",
                                           "Look at the source and at the job's attempts."};
    std::string page = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
                       "content=\"width=device-width, initial-scale=1\">\n<title>";
    page += escaped(help.title);
    page += "</title>\n<link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"";
    page += escaped(style);
    page += "\">\n</head>\n<body>\n<main class=\"help\">\n<h1>";
    page += escaped(help.title);
    page += "</h1>\n<p><code>";
    page += escaped(help.code);
    page += "</code></p>\n<p>";
    page += escaped(help.meaning);
    page += "</p>\n<p><b>What to do.</b> ";
    page += escaped(help.advice);
    page += "</p>\n</main>\n</body>\n</html>\n";
    return page;
}

} // namespace freshet::http

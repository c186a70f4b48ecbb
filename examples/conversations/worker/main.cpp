// SPDX-License-Identifier: Apache-2.0
// conversations-worker: one text generation per item, and its enrichment in the follow-up batch. An item that takes
// longer than a lease is no matter: the SDK beats from a thread of its own. Cancelling the batch ends the request
// within about a second.

#include "kit.hpp"

#include <iostream>
#include <sstream>

namespace {

using freshet::Job;
using freshet::Json;

constexpr kit::milliseconds generation_limit{600'000};

struct Generated {
    std::string id, text;
};

Generated generate(Job& job, const std::string& key, const std::string& topic)
{
    const Json asked{{"key", key}, {"topic", topic}};
    const kit::Answer answer = kit::ask(job, {.url = kit::upstream() + "/generator",
                                              .method = "POST",
                                              .body = asked.dump(),
                                              .time_limit = generation_limit});
    if (answer.status != 200) kit::refuse("The generator", answer);
    Json made;
    try {
        made = Json::parse(answer.body);
    } catch (const std::invalid_argument&) {
        throw freshet::Retryable("The generator answered something that is no JSON", "no_json");
    }
    if (made["error"]["code"].text() == "quota_exceeded")
        throw freshet::RateLimited("The generator's quota is exceeded", kit::scaled(std::chrono::minutes(5)), "quota");
    if (made["id"].text().empty() || made["text"].text().empty())
        throw freshet::Retryable("The generator answered without a text", "no_text");
    return {made["id"].text(), made["text"].text()};
}

/// One line for the operator, on stderr and in the job's log: which item, how long, what came of it.
void tell(Job& job, const std::string& key, std::chrono::steady_clock::time_point began, const std::string& result)
{
    const auto took = std::chrono::duration_cast<kit::milliseconds>(std::chrono::steady_clock::now() - began);
    std::ostringstream line;
    line << "item " << key << " ended after " << took.count() << " ms: " << result;
    job.log(line.str());
    line << " (" << job.id() << ")\n";
    std::cerr << line.str();
}

template <class Work>
Json told(Job& job, const std::string& key, const Work& work)
{
    const auto began = std::chrono::steady_clock::now();
    try {
        Json result = work();
        tell(job, key, began, result["conversationId"].text());
        return result;
    } catch (const std::exception& error) {
        tell(job, key, began, error.what());
        throw;
    } catch (const freshet::Stopped&) {
        tell(job, key, began, "stopped");
        throw;
    }
}

Json converse(Job& job)
{
    const std::string key = job.input()["key"].text();
    return told(job, key, [&] {
        const Generated made = generate(job, key, job.input()["topic"].text());
        return Json{{"conversationId", made.id}, {"text", made.text}};
    });
}

/// The input is the success that it follows: {item, result}.
Json enrich(Job& job)
{
    const Json& before = job.input()["result"];
    const std::string key = job.input()["item"].text();
    return told(job, key, [&] {
        const Generated made = generate(job, key, "more about: " + before["text"].text());
        return Json{{"conversationId", before["conversationId"]}, {"enrichmentId", made.id}, {"text", made.text}};
    });
}

} // namespace

int main()
{
    freshet::Worker worker{kit::options("conversations-worker", 10)};
    worker.task("conversations", converse);
    worker.task("enrichment", enrich);
    return worker.run();
}

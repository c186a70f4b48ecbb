// SPDX-License-Identifier: Apache-2.0
#include "facade/inner.hpp"

#include "http/problems.hpp"
#include "http/within.hpp"

namespace freshet::facade {

namespace {

class Asking final : public http::InnerExchange, public http::DataTaker {
public:
    Asking(http::Core& core, http::ExchangePtr outer, http::Caller caller, InnerRequest request,
           std::function<void(InnerAnswer)> then)
        : core_{core}, outer_{std::move(outer)}, caller_{std::move(caller)}, then_{std::move(then)}
    {
        request_.method = std::move(request.method);
        request_.path = std::move(request.path);
        request_.query = std::move(request.query);
        request_.headers = std::move(request.headers);
        request_.body = std::move(request.body);
        request_.peer = outer_->request().peer;
    }
    ~Asking() override
    {
        if (then_)
            fail(http::make_problem(500, "unanswered", "The request was dropped", "This is a mistake of the server.",
                                    "Ask again; report it if it stays."));
    }

    const http::HttpRequest& request() const override { return request_; }
    const http::Caller& caller() const override { return caller_; }
    http::Caller& settled_caller() override { return caller_; }
    const std::string& base_url() const override { return outer_->base_url(); }
    void on_closed(std::function<void()> closed) override { outer_->on_closed(std::move(closed)); }

    void take(const http::DataAnswer& data) override
    {
        InnerAnswer answer;
        answer.status = 200;
        answer.data = data;
        end(std::move(answer));
    }
    void respond(http::HttpResponse response) override
    {
        InnerAnswer answer;
        answer.status = response.status;
        answer.body = response.shared_body ? *response.shared_body : std::move(response.body);
        response.shared_body.reset();
        answer.head = std::move(response);
        end(std::move(answer));
    }
    void fail(Problem problem) override
    {
        respond(http::problem_response(base_url(), outer_->request().path, std::move(problem), core_.now()));
    }
    // What a facade may call never streams (check_within); if it did, this is all that it would get.
    std::shared_ptr<http::StreamWriter> stream(http::HttpResponse) override { return refuse_stream(), nullptr; }
    std::shared_ptr<http::MessageWriter> upgrade(std::string_view) override { return refuse_stream(), nullptr; }

private:
    void refuse_stream()
    {
        fail(http::make_problem(501, "no_stream", "A stream has no one answer", "This request opens a stream.",
                                "Open it at /v1 itself."));
    }
    void end(InnerAnswer answer)
    {
        if (auto then = std::exchange(then_, nullptr)) then(std::move(answer));
    }

    http::Core& core_;
    http::ExchangePtr outer_;
    http::Caller caller_;
    http::HttpRequest request_;
    std::function<void(InnerAnswer)> then_;
};

} // namespace

void ask_within(http::Core& core, const http::Router& router, const http::ExchangePtr& outer, http::Caller caller,
                InnerRequest request, std::function<void(InnerAnswer)> then)
{
    const auto asking = std::make_shared<Asking>(core, outer, std::move(caller), std::move(request), std::move(then));
    http::answer_within(core, router, asking);
}

} // namespace freshet::facade

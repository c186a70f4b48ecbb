// SPDX-License-Identifier: Apache-2.0
#pragma once
// A place in a document as it is walked: a JSON Pointer (RFC 6901) that grows and shrinks. One thread.

#include <string>
#include <string_view>
#include <vector>

namespace freshet {

class JsonPointer {
public:
    void push(std::string_view name)
    {
        starts_.push_back(text_.size());
        text_ += '/';
        for (const char c : name) {
            if (c == '~')
                text_ += "~0";
            else if (c == '/')
                text_ += "~1";
            else
                text_ += c;
        }
    }
    void push(std::size_t index) { push(std::string_view{std::to_string(index)}); }
    void pop()
    {
        text_.resize(starts_.back());
        starts_.pop_back();
    }
    const std::string& text() const { return text_; }

private:
    std::string text_;
    std::vector<std::size_t> starts_;
};

} // namespace freshet

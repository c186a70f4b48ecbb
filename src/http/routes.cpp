// SPDX-License-Identifier: Apache-2.0
// The whole table. In a file of its own, so that a test may serve a part of it.
#include "http/server.hpp"

namespace freshet::http {

std::vector<Routes> all_routes()
{
    return {data_routes(),   refresh_routes(), purge_routes(),      version_routes(),  job_routes(),
            batch_routes(),  job_add_routes(), job_output_routes(), work_routes(),     worker_routes(),
            queue_routes(),  operate_routes(), overview_routes(),   schedule_routes(), session_routes(),
            access_routes(), stream_routes(),  page_routes(),       system_routes()};
}

} // namespace freshet::http

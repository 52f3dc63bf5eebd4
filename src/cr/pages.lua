--- `client:pages`: the pages of a list, one by one.

local client = require "cr.client"
local pager = require "cr.pager"

--- Iterates over the pages of a list. Each is fetched when its turn has come.
--
--     for page, info in client:pages("ListRepository", { InstanceId = "cri-…" }) do
--       print(page.TotalCount, #page.Repositories, info.request_id)
--     end
--
-- Pages go by number, from `PageNo` or 1 on, or by token where the operation has nothing else or
-- `MaxResults` or `NextToken` is given. See paging.lua for when a list ends.
--
-- A failure raises the error object: what came before was good, what would have followed is not
-- known. Who calls the iterator instead of looping can then call it again, for the same page.
--
-- **context:** anywhere: in a loop, in a coroutine, in `cr.run`; by one of them at a time. In
-- plain Lua 5.1 a coroutine that is not the scheduler's cannot yield out of a `for` loop's
-- iterator: call it in a `while` loop there.
--
-- @tparam cr.client self
-- @tparam string name of a paged operation, "ListRepoTag" or "list_repo_tag"
-- @tparam[opt] table params as of the operation; `PageSize` or `MaxResults` is the size of a page
-- @tparam[opt] table options configuration of every call, and
--
--   - `read_ahead` (false): inside `cr.run`, the next page is fetched while this one is used
--   - `max_pages` (100000): more than these are an error, TooManyPages
--   - `trust_total` (true): false for a service whose total counts what it does not list; then the
--     list goes on until a page is empty
-- @treturn function iterator of `answer, info`
-- @return nil, nil
-- @treturn table what ends the list early: a loop of Lua 5.4 closes it; elsewhere `:close()`
--   does, or the collector. Without `read_ahead` there is nothing to close
-- @raise error object: of the first call that failed; UnknownOperation, NotPaged; IncompleteList,
--   RepeatedPage, RepeatedToken, TooManyPages
return function(self, name, params, options)
  client.check_name("pages", name)
  client.check_call("pages", params, options, pager.options)
  local list = pager.new(client.settings_of(self, 3), name, params, options)
  return function()
    local answer, info = list:next()
    return answer, info
  end, nil, nil, list
end

--- `client:items`: everything in a list, whatever the number of pages.

local client = require "cr.client"
local pager = require "cr.pager"

--- Iterates over the items of all pages of a list. A page is fetched when the one before is used
-- up.
--
--     for tag in client:items("ListRepoTag", { InstanceId = "cri-…", RepoId = "crr-…" }) do
--       print(tag.Tag, tag.ImageSize)
--     end
--
-- A list that changes while it is read can give an item twice or miss one where the API counts
-- pages: who deletes what the list gives, collects it first.
--
-- **context:** as `client:pages`.
--
-- @tparam cr.client self
-- @tparam string name of a paged operation, "ListRepoTag" or "list_repo_tag"
-- @tparam[opt] table params as of the operation
-- @tparam[opt] table options as of `client:pages`
-- @treturn function iterator of `item, answer`, the answer being the page that the item is from
-- @return nil, nil, and what ends the list early, as `client:pages`
-- @raise as `client:pages`, after the items that came before
return function(self, name, params, options)
  client.check_name("items", name)
  client.check_call("items", params, options, pager.options)
  local list = pager.new(client.settings_of(self, 3), name, params, options)
  local answer, items
  local index = 0
  return function()
    index = index + 1
    while items == nil or items[index] == nil do
      local _
      answer, _, items = list:next()
      if not answer then
        items, index = nil, 0
        return nil
      end
      index = 1
    end
    return items[index], answer
  end, nil, nil, list
end

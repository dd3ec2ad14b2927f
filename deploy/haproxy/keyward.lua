-- `http-request lua.keyward` asks Keyward whether the client's key is accepted. HAProxy goes on even if
-- Lua fails, so the verdict stands in variables, and the configuration lets nothing through that does
-- not have txn.keyward_allowed.

-- Read once, as root, before HAProxy gives its rights away.
local KEY = os.getenv("KEYWARD_KEY") or ""
-- `listen keyward` of haproxy.cfg.
local SOCKET = "abns@keyward"
local TIMEOUT_MS = 5000

-- What Keyward reads of the client's headers. Add the one that KEYWARD_KEY_HEADER names, if you set it.
local OF_CLIENT = { "authorization", "x-api-key", "user-agent" }
local FOR_API = { "key-id", "owner", "scopes", "truncated", "workspace" }
local FOR_CLIENT = { "ratelimit", "ratelimit-policy", "deprecation", "sunset" }
local OF_DENIAL = { "content-type", "www-authenticate", "retry-after" }

-- Everything that HAProxy says stands in one header, which no client can write. With mode=nginx what
-- is not a verdict on the client's key is a 503. The question comes last, because `resource` in it
-- takes the rest; if it is empty, Keyward refuses it.
local function ask(txn)
  local question = txn:get_var("txn.keyward_require") or ""
  local words = { "Bearer " .. KEY, "mode=nginx", "ip=" .. txn.f:src(), question }
  local headers = { ["x-keyward-authorization"] = { table.concat(words, "; ") } }
  local sent = txn.http:req_get_headers()
  for _, name in ipairs(OF_CLIENT) do
    headers[name] = sent[name]
  end
  return core.httpclient():get({
    url = "http://keyward/v1/authorize",
    dst = SOCKET,
    headers = headers,
    timeout = TIMEOUT_MS,
  })
end

local function first(answer, name)
  local values = answer.headers and answer.headers[name]
  return values and values[0]
end

local function remember(txn, answer, name, header)
  local value = first(answer, header)
  if value then
    txn:set_var("txn.keyward_" .. name:gsub("-", "_"), value)
  end
end

local function refuse(txn, answer)
  local reply = txn:reply()
  reply:set_status(tonumber(first(answer, "x-keyward-status")) or answer.status)
  reply:add_header("cache-control", "no-store")
  for _, name in ipairs(OF_DENIAL) do
    local value = first(answer, name)
    if value then
      reply:add_header(name, value)
    end
  end
  reply:set_body(answer.body)
  txn:done(reply)
end

core.register_action("keyward", { "http-req" }, function(txn)
  local answer = ask(txn)
  for _, name in ipairs(FOR_CLIENT) do
    remember(txn, answer, name, name)
  end
  if answer.status == 200 and first(answer, "x-keyward-code") == "VALID" then
    for _, name in ipairs(FOR_API) do
      remember(txn, answer, name, "x-keyward-" .. name)
    end
    txn:set_var("txn.keyward_allowed", true)
  elseif answer.status == 401 or answer.status == 403 then
    refuse(txn, answer)
  end
end, 0)

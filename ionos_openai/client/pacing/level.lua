-- `rates.apply`, in one step. Numbers travel as text, since Redis cuts off fractions.
local level = redis.call('HMGET', KEYS[1], 'full_at', 'blocked_until', 'seen')
local full_at, blocked = tonumber(level[1] or 0), tonumber(level[2] or 0)
local operation, capacity, interval, argument = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local held, now = ARGV[5] == '1', tonumber(ARGV[6])
if not now then
    local time = redis.call('TIME')
    now = tonumber(time[1]) + tonumber(time[2]) / 1e6
end
local back = math.max(0, tonumber(level[3] or 0) - now)
full_at, blocked = full_at - back, blocked - back
local granted, delay = 1, 0
if operation == 'give_back' then
    full_at = full_at - interval
elseif operation == 'set_back' then
    full_at = math.max(full_at, now + argument + (capacity - 1) * interval)
    blocked = math.max(blocked, now + argument)
elseif not (held and blocked <= now) then
    local after = math.max(full_at, now) + interval
    delay = math.max(0, after - capacity * interval - now, blocked - now)
    if argument >= 0 and delay > argument then granted = 0 else full_at = after end
end
local function text(number) return string.format('%.17g', number) end
redis.call('HSET', KEYS[1], 'full_at', text(full_at), 'blocked_until', text(blocked), 'seen', text(now))
redis.call('EXPIRE', KEYS[1], math.ceil(math.max(full_at - now, blocked - now, 0)) + 3600)
return {granted, text(delay), text(math.max(0, full_at - now))}

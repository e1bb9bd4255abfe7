-- sysbench's oltp_write_only, with the rows shared out: side 0 writes those with even ids, side 1 the others, side 2 all.
require("oltp_write_only")

sysbench.cmdline.options.side = {"Which rows: 0 even ids, 1 odd ids, 2 all", 2}

local any = sysbench.rand.default

function sysbench.rand.default(low, high)
   local id = any(low, high)
   local side = sysbench.opt.side
   if side == 2 then
      return id
   end
   id = id - id % 2 + side
   if id < low then
      return id + 2
   elseif id > high then
      return id - 2
   end
   return id
end

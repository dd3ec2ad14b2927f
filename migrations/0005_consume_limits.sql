-- Balances are rewritten in place again and again: room on each page keeps that cheap.
ALTER TABLE key_consumption SET (fillfactor = 50);
--> statement-breakpoint
ALTER TABLE key_consumption ADD CONSTRAINT key_consumption_credits CHECK (credits >= 0);
--> statement-breakpoint
ALTER TABLE keys ADD CONSTRAINT keys_limits CHECK (
  cardinality(limit_names) <= 5
  AND cardinality(limit_units) = cardinality(limit_names)
  AND cardinality(limit_windows) = cardinality(limit_names)
);
--> statement-breakpoint

-- When a balance was last due for a refill: 00:00 UTC of the day, or of `day` of the month (the last
-- day of a shorter month). Epoch milliseconds.
CREATE FUNCTION last_refill_ms(refill_interval text, refill_day integer, now_ms bigint)
RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  moment timestamp := timestamp 'epoch' + now_ms * interval '1 millisecond';
  month timestamp := date_trunc('month', moment);
  due timestamp;
BEGIN
  IF refill_interval = 'daily' THEN
    RETURN now_ms - now_ms % 86400000;
  END IF;
  due := least(month + (refill_day - 1) * interval '1 day', month + interval '1 month - 1 day');
  IF due > moment THEN
    month := month - interval '1 month';
    due := least(month + (refill_day - 1) * interval '1 day', month + interval '1 month - 1 day');
  END IF;
  RETURN (extract(epoch FROM due) * 1000)::bigint;
END
$$;
--> statement-breakpoint

-- Puts the windows of a key into the order of its limits. All limits of a key count the same
-- spending, so a limit continues any window of its own length: its own of before, or that of
-- another name. Where only its length changed it keeps what its window knows, each unit as late as
-- it can have been spent: never less than was spent.
CREATE FUNCTION align_windows(
  INOUT consumption key_consumption, names text[], windows integer[], now_ms bigint
) LANGUAGE plpgsql AS $$
DECLARE
  old key_consumption := consumption;
  place integer;
  slice bigint;
  spent bigint;
BEGIN
  consumption.names := names;
  consumption.windows := windows;
  consumption.slices := array_fill(0::bigint, ARRAY[cardinality(names)]);
  consumption.counts := array_fill(0::bigint, ARRAY[21 * cardinality(names)]);
  FOR i IN 1..cardinality(names) LOOP
    place := array_position(old.names, names[i]);
    IF place IS NULL OR old.windows[place] <> windows[i] THEN
      place := coalesce(array_position(old.windows, windows[i]), place);
    END IF;
    CONTINUE WHEN place IS NULL;
    IF old.windows[place] = windows[i] THEN
      consumption.slices[i] := old.slices[place];
      consumption.counts[21 * i - 20 : 21 * i] := old.counts[21 * place - 20 : 21 * place];
      CONTINUE;
    END IF;
    consumption.slices[i] := now_ms / (windows[i] * 50);
    FOR age IN 0..20 LOOP
      slice := old.slices[place] - age;
      spent := CASE WHEN slice < 0 THEN 0
                    ELSE old.counts[21 * place - 20 + (slice % 21)::integer] END;
      slice := least(now_ms, (slice + 1) * old.windows[place] * 50 - 1) / (windows[i] * 50);
      CONTINUE WHEN spent = 0 OR slice < consumption.slices[i] - 20;
      consumption.counts[21 * i - 20 + (slice % 21)::integer] :=
        consumption.counts[21 * i - 20 + (slice % 21)::integer] + spent;
    END LOOP;
  END LOOP;
END
$$;
--> statement-breakpoint

-- The same for the row of one key, in the transaction that changes its limits.
CREATE FUNCTION align_consumption(changed_key text, at_ms bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  consumption key_consumption;
  wanted record;
BEGIN
  SELECT * INTO consumption FROM key_consumption WHERE key_id = changed_key FOR UPDATE;
  SELECT limit_names, limit_windows INTO wanted FROM keys WHERE id = changed_key;
  IF consumption.names = wanted.limit_names AND consumption.windows = wanted.limit_windows THEN
    RETURN;
  END IF;
  consumption := align_windows(consumption, wanted.limit_names, wanted.limit_windows,
                               greatest(consumption.last_ms, at_ms));
  UPDATE key_consumption
     SET names = consumption.names, windows = consumption.windows,
         slices = consumption.slices, counts = consumption.counts
   WHERE key_id = changed_key;
END
$$;
--> statement-breakpoint

-- Decides a batch of verifications that cost something, in order of arrival within each key.
-- Rows are locked in key order, as every other writer of them does, so that no two batches can
-- wait for each other in a circle. What they hold, what their keys may spend, and the time are read
-- after that: whoever waited for a lock must not judge by limits that have changed meanwhile. Time
-- never runs backwards for a key.
--
-- Windows slide in 20 slices: a slice counts in full while any of it overlaps the window, so 21
-- slices are kept. Never more than the limit in any interval of the window's length.
--
-- Answers JSON with an array for each of: codes (0 passes, 1 rate limited, 2 no credits; null where
-- the key has no row), times of the decision, credits left, and five places an entry of units left
-- and reset times.
-- A batch that was applied before answers what it answered then.
CREATE FUNCTION consume_limits(
  batch_instance uuid, batch_lane text, batch_sequence bigint,
  entry_keys text[], entry_costs bigint[], clock_offset_ms bigint
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  codes integer[] := array_fill(NULL::integer, ARRAY[cardinality(entry_keys)]);
  times bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(entry_keys)]);
  credits_left bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(entry_keys)]);
  units_left bigint[] := array_fill(NULL::bigint, ARRAY[5 * cardinality(entry_keys)]);
  resets bigint[] := array_fill(NULL::bigint, ARRAY[5 * cardinality(entry_keys)]);
  answered text;
  subject record;
  consumption key_consumption;
  used bigint[];
  now_ms bigint;
  slice bigint;
  oldest bigint;
  refill_ms bigint;
  cost bigint;
  code integer;
  place integer;
  entry bigint;
  changed boolean;
BEGIN
  PERFORM set_config('synchronous_commit', 'on', true)
    WHERE current_setting('synchronous_commit') <> 'remote_apply';

  INSERT INTO batch_sequences (instance, lane, sequence)
  VALUES (batch_instance, batch_lane, batch_sequence)
  ON CONFLICT (instance, lane) DO UPDATE SET sequence = excluded.sequence, updated_at = now()
  WHERE batch_sequences.sequence < excluded.sequence;
  IF NOT FOUND THEN
    SELECT answer INTO answered FROM batch_sequences
     WHERE instance = batch_instance AND lane = batch_lane AND sequence = batch_sequence;
    RETURN answered;
  END IF;

  PERFORM FROM key_consumption WHERE key_id = ANY (entry_keys)
   ORDER BY key_id COLLATE "C" FOR UPDATE;

  FOR subject IN
    SELECT c AS consumption, k.limit_names, k.limit_units, k.limit_windows,
           k.credits_limited, k.refill_interval, k.refill_amount, k.refill_day, e.entries
      FROM (SELECT u.key, array_agg(u.entry ORDER BY u.entry) AS entries
              FROM unnest(entry_keys) WITH ORDINALITY AS u (key, entry) GROUP BY u.key) AS e
      JOIN key_consumption c ON c.key_id = e.key
      JOIN keys k ON k.id = e.key
  LOOP
    consumption := subject.consumption;
    changed := false;
    now_ms := greatest(consumption.last_ms,
      floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint + clock_offset_ms);

    IF consumption.names <> subject.limit_names OR consumption.windows <> subject.limit_windows THEN
      consumption := align_windows(consumption, subject.limit_names, subject.limit_windows, now_ms);
    END IF;

    IF subject.refill_interval IS NOT NULL THEN
      refill_ms := last_refill_ms(subject.refill_interval, subject.refill_day, now_ms);
      IF refill_ms > consumption.refilled_ms THEN
        consumption.credits := subject.refill_amount;
        consumption.refilled_ms := refill_ms;
        changed := true;
      END IF;
    END IF;

    used := array_fill(0::bigint, ARRAY[cardinality(subject.limit_names)]);
    FOR i IN 1..cardinality(subject.limit_names) LOOP
      slice := now_ms / (subject.limit_windows[i] * 50);
      FOR age IN 0..least(slice - consumption.slices[i] - 1, 20) LOOP
        consumption.counts[21 * i - 20 + ((slice - age) % 21)::integer] := 0;
      END LOOP;
      consumption.slices[i] := greatest(consumption.slices[i], slice);
      FOR s IN 21 * i - 20 .. 21 * i LOOP
        used[i] := used[i] + consumption.counts[s];
      END LOOP;
    END LOOP;

    FOREACH entry IN ARRAY subject.entries LOOP
      cost := entry_costs[entry];
      code := 0;
      IF cost > 0 THEN
        FOR i IN 1..cardinality(subject.limit_names) LOOP
          IF used[i] + cost > subject.limit_units[i] THEN
            code := 1;
          END IF;
        END LOOP;
        IF code = 0 AND subject.credits_limited AND cost > coalesce(consumption.credits, 0) THEN
          code := 2;
        END IF;
        IF code = 0 THEN
          FOR i IN 1..cardinality(subject.limit_names) LOOP
            used[i] := used[i] + cost;
            place := 21 * i - 20 + (consumption.slices[i] % 21)::integer;
            consumption.counts[place] := consumption.counts[place] + cost;
          END LOOP;
          IF subject.credits_limited THEN
            consumption.credits := consumption.credits - cost;
          END IF;
          changed := true;
        END IF;
      END IF;
      codes[entry] := code;
      times[entry] := now_ms;
      IF subject.credits_limited THEN
        credits_left[entry] := coalesce(consumption.credits, 0);
      END IF;
      FOR i IN 1..cardinality(subject.limit_names) LOOP
        units_left[5 * (entry - 1) + i] := greatest(subject.limit_units[i] - used[i], 0);
      END LOOP;
    END LOOP;

    -- A unit is back when the slice it was spent in has left the window as a whole.
    FOR i IN 1..cardinality(subject.limit_names) LOOP
      CONTINUE WHEN used[i] = 0;
      oldest := consumption.slices[i] - 20;
      WHILE consumption.counts[21 * i - 20 + (oldest % 21)::integer] = 0 LOOP
        oldest := oldest + 1;
      END LOOP;
      FOREACH entry IN ARRAY subject.entries LOOP
        resets[5 * (entry - 1) + i] := (oldest + 21) * subject.limit_windows[i] * 50;
      END LOOP;
    END LOOP;

    IF changed THEN
      UPDATE key_consumption
         SET credits = consumption.credits, refilled_ms = consumption.refilled_ms, last_ms = now_ms,
             names = consumption.names, windows = consumption.windows,
             slices = consumption.slices, counts = consumption.counts
       WHERE key_id = consumption.key_id;
    END IF;
  END LOOP;

  answered := json_build_object(
    'incarnation', (SELECT id FROM incarnation),
    'codes', codes, 'times', times,
    'credits', credits_left, 'units', units_left, 'resets', resets)::text;
  UPDATE batch_sequences SET answer = answered
   WHERE instance = batch_instance AND lane = batch_lane;
  RETURN answered;
END
$$;

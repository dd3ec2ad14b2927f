-- Decides a batch of verifications that cost something, in order of arrival within each key. Takes
-- the place of consume_limits, which instances of the version before still call: this one never waits
-- for a row. A row that another transaction holds is passed over, and its entries answer 3: they are
-- asked for again, apart from those of all other keys. What the locked rows hold, what their keys may
-- spend, and the time are read after the rows were locked. Time never runs backwards for a key.
--
-- Windows slide in 20 slices: a slice counts in full while any of it overlaps the window, so 21
-- slices are kept. Never more than the limit in any interval of the window's length.
--
-- Answers JSON with an array for each of: codes (0 passes, 1 rate limited, 2 no credits, 3 locked by
-- another transaction; null where the key has no row), times of the decision, credits left, and five
-- places an entry of units left and reset times.
-- A batch that was applied before answers what it answered then.
CREATE FUNCTION try_consume_limits(
  batch_instance uuid, batch_lane text, batch_sequence bigint,
  entry_keys text[], entry_costs bigint[], clock_offset_ms bigint
) RETURNS text LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
  codes integer[];
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

  WITH free AS (
    SELECT key_id FROM key_consumption WHERE key_id = ANY (entry_keys) FOR UPDATE SKIP LOCKED
  )
  SELECT array_agg(CASE WHEN c.key_id IS NOT NULL AND f.key_id IS NULL THEN 3 END
                   ORDER BY u.entry) INTO codes
    FROM unnest(entry_keys) WITH ORDINALITY AS u (key, entry)
    LEFT JOIN key_consumption c ON c.key_id = u.key
    LEFT JOIN free f ON f.key_id = u.key;

  FOR subject IN
    SELECT c AS consumption, k.limit_names, k.limit_units, k.limit_windows,
           k.credits_limited, k.refill_interval, k.refill_amount, k.refill_day, e.entries
      FROM (SELECT u.key, array_agg(u.entry ORDER BY u.entry) AS entries
              FROM unnest(entry_keys) WITH ORDINALITY AS u (key, entry)
             WHERE codes[u.entry] IS NULL GROUP BY u.key) AS e
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

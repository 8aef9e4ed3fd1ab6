-- Stock, decisions and a ledger. `place` is drawn while the rows of the order are locked, so that orders which share a
-- SKU stand in the sequence in which they were decided.
CREATE TABLE stock (sku text PRIMARY KEY, units_left integer NOT NULL CHECK (units_left >= 0)) WITH (fillfactor = 50);
CREATE TABLE decided (order_id text PRIMARY KEY, confirmed boolean NOT NULL, place bigint NOT NULL);
CREATE TABLE ledger (order_id text NOT NULL, sku text NOT NULL, units integer NOT NULL);
CREATE SEQUENCE places CACHE 1;

-- One order: `skus` sorted, each once. Locks in SKU order, all or nothing; an order asked again gets its first answer.
CREATE FUNCTION reserve(o text, skus text[], wanted integer[]) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  yes boolean := true;
  units integer;
BEGIN
  SELECT confirmed INTO yes FROM decided WHERE order_id = o;
  IF FOUND THEN RETURN yes; END IF;
  yes := true;
  FOR i IN 1 .. cardinality(skus) LOOP
    SELECT units_left INTO units FROM stock WHERE sku = skus[i] FOR UPDATE;
    IF NOT FOUND OR units < wanted[i] THEN yes := false; END IF;
  END LOOP;
  IF yes THEN
    FOR i IN 1 .. cardinality(skus) LOOP
      UPDATE stock SET units_left = units_left - wanted[i] WHERE sku = skus[i];
    END LOOP;
    INSERT INTO ledger SELECT o, * FROM unnest(skus, wanted);
  END IF;
  INSERT INTO decided VALUES (o, yes, nextval('places'));
  RETURN yes;
END $$;

-- Many orders in one transaction, one after the other, in memory: `skus` are all of them, sorted, each once; line n is
-- of order `of[n]`, SKU `skus[which[n]]`; the lines of an order stand together. Each row is locked, read and written
-- once, whatever the number of orders that touch it.
CREATE FUNCTION reserve_all(orders text[], skus text[], of integer[], which integer[], wanted integer[])
RETURNS boolean[] LANGUAGE plpgsql AS $$
DECLARE
  known text[];
  units integer[];
  answers boolean[] := array_fill(false, ARRAY[cardinality(orders)]);
  lines integer := cardinality(of);
  here integer := 1;
  past integer;
  yes boolean;
BEGIN
  SELECT array_agg(units_left ORDER BY sku) INTO units
    FROM (SELECT sku, units_left FROM stock WHERE sku = ANY(skus) ORDER BY sku FOR UPDATE) AS locked;
  SELECT array_agg(order_id) INTO known FROM decided WHERE order_id = ANY(orders);
  IF known IS NOT NULL THEN RAISE EXCEPTION 'decided before: %: ask for them alone', known; END IF;
  WHILE here <= lines LOOP
    past := here;
    yes := true;
    WHILE past <= lines AND of[past] = of[here] LOOP
      IF units[which[past]] < wanted[past] THEN yes := false; END IF;
      past := past + 1;
    END LOOP;
    IF yes THEN
      FOR n IN here .. past - 1 LOOP
        units[which[n]] := units[which[n]] - wanted[n];
      END LOOP;
      answers[of[here]] := true;
    END IF;
    here := past;
  END LOOP;
  UPDATE stock SET units_left = after.units FROM unnest(skus, units) AS after(sku, units)
    WHERE stock.sku = after.sku AND stock.units_left <> after.units;
  INSERT INTO ledger SELECT orders[line.o], skus[line.s], line.units
    FROM unnest(of, which, wanted) AS line(o, s, units) WHERE answers[line.o];
  INSERT INTO decided SELECT o, yes_, nextval('places')
    FROM unnest(orders, answers) WITH ORDINALITY AS answer(o, yes_, n) ORDER BY n;
  RETURN answers;
END $$;

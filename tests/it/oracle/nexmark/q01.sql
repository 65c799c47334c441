SELECT auction, bidder, 0.908 * price AS price, made_at FROM bid

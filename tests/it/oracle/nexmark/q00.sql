SELECT bid_id, auction, bidder, price, made_at FROM bid

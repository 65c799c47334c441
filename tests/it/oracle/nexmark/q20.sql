SELECT b.bid_id, b.bidder, b.price, b.made_at, a.item, a.seller, a.category
FROM bid AS b JOIN auction AS a ON b.auction = a.auction_id
WHERE a.category = 10

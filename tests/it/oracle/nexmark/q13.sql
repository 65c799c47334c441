SELECT b.auction, b.bidder, b.price, b.made_at, s.value
FROM bid AS b JOIN side_input AS s ON b.auction % 10 = s.key

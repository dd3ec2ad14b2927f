SELECT feed_table('imported_algorithms', 'everything', 'algorithm', 'algorithm');

#!/usr/bin/perl
# Tasks without Python: the program speaks to its supervisor by itself, as Airflow's SDKs of other languages do.
use strict;
use warnings;
use IO::Socket::INET;
use POSIX ();

my %to = map { /^--(comm|logs)=(.*)$/ ? ( $1 => $2 ) : () } @ARGV;
my ( $comm, $logs ) = map { IO::Socket::INET->new( PeerAddr => $to{$_} ) or die "$_: $@" } qw(comm logs);
binmode $_ for $comm, $logs;

# ---- what Airflow's messages are written in: msgpack, after its length

sub bytes {
    my ($count) = @_;
    my $got = '';
    while ( length $got < $count ) {
        sysread( $comm, $got, $count - length $got, length $got ) or die "the supervisor is gone";
    }
    return $got;
}

sub unpacked {
    my ($rest) = @_;    # a reference to what is still to be read
    my $take = sub { substr $$rest, 0, $_[0], '' };
    my $number = sub { unpack $_[0], $take->( $_[1] ) };
    my $list = sub { [ map { unpacked($rest) } 1 .. $_[0] ] };
    my $map = sub { my %made = map { unpacked($rest) } 1 .. 2 * $_[0]; \%made };
    my $kind = $number->( 'C', 1 );
    return $kind if $kind < 0x80;
    return $kind - 0x100 if $kind >= 0xe0;
    return $map->( $kind & 0x0f ) if $kind < 0x90;
    return $list->( $kind & 0x0f ) if $kind < 0xa0;
    return $take->( $kind & 0x1f ) if $kind < 0xc0;
    return undef if $kind == 0xc0;
    return $kind == 0xc3 if $kind == 0xc2 || $kind == 0xc3;
    my %of = (
        0xc4 => [ $take, 'C', 1 ], 0xc5 => [ $take, 'n', 2 ], 0xc6 => [ $take, 'N', 4 ],
        0xd9 => [ $take, 'C', 1 ], 0xda => [ $take, 'n', 2 ], 0xdb => [ $take, 'N', 4 ],
        0xdc => [ $list, 'n', 2 ], 0xdd => [ $list, 'N', 4 ],
        0xde => [ $map, 'n', 2 ], 0xdf => [ $map, 'N', 4 ],
    );
    if ( my $how = $of{$kind} ) {
        my ( $read, @length ) = @$how;
        return $read->( $number->(@length) );
    }
    my %plain = (
        0xca => [ 'f>', 4 ], 0xcb => [ 'd>', 8 ],
        0xcc => [ 'C', 1 ], 0xcd => [ 'n', 2 ], 0xce => [ 'N', 4 ], 0xcf => [ 'Q>', 8 ],
        0xd0 => [ 'c', 1 ], 0xd1 => [ 's>', 2 ], 0xd2 => [ 'l>', 4 ], 0xd3 => [ 'q>', 8 ],
    );
    return $number->( @{ $plain{$kind} } ) if $plain{$kind};
    # What is left are extensions, such as moments: their kind, then so many bytes.
    my %fixed = ( 0xd4 => 1, 0xd5 => 2, 0xd6 => 4, 0xd7 => 8, 0xd8 => 16 );
    my %sized = ( 0xc7 => [ 'C', 1 ], 0xc8 => [ 'n', 2 ], 0xc9 => [ 'N', 4 ] );
    return $take->( 1 + ( $fixed{$kind} || $number->( @{ $sized{$kind} } ) ) );
}

sub packed {
    my ($value) = @_;
    return "\xc0" unless defined $value;
    return pack( 'Cn', 0xde, scalar keys %$value ) . join '', map { packed($_) . packed( $value->{$_} ) } sort keys %$value
        if ref $value eq 'HASH';
    return pack( 'Cn', 0xdc, scalar @$value ) . join '', map { packed($_) } @$value if ref $value eq 'ARRAY';
    return pack 'Cq>', 0xd3, $value if $value =~ /^-?\d+$/;
    return pack( 'Cn', 0xda, length $value ) . $value;
}

sub received {
    my $frame = bytes( unpack 'N', bytes(4) );
    return unpacked( \$frame );
}

my $asked = 0;

sub ask {
    my (%body) = @_;
    my $frame = "\x92" . packed( $asked++ ) . packed( \%body );
    syswrite $comm, pack( 'N', length $frame ) . $frame;
    my ( undef, $answer, $error ) = @{ received() };
    die "refused: $error->{error} $error->{detail}{message}" if $error;
    return $answer;
}

sub now { POSIX::strftime( '%Y-%m-%dT%H:%M:%SZ', gmtime ) }

sub say_it {
    my ($words) = @_;
    syswrite $logs, sprintf qq({"timestamp":"%s","level":"info","logger":"perl","event":"%s"}\n), now(), $words;
}

# ---- the tasks

my $task = received()->[1]{ti};
my %place = ( dag_id => $task->{dag_id}, run_id => $task->{run_id}, map_index => -1 );
say_it("perl $] does $task->{task_id}");

if ( $task->{task_id} eq 'reports' ) {
    my $counts = ask( type => 'GetXCom', key => 'return_value', task_id => 'counts', %place )->{value};
    my $report = "perl has counted $counts->{rows} rows in $ENV{SITE_NAME}";
    ask( type => 'SetXCom', key => 'return_value', task_id => 'reports', value => $report, %place );
}
elsif ( $task->{task_id} eq 'sleeps' ) {
    say_it("its process is $$");
    sleep 600;
}
else {
    print STDERR "something is wrong here\n";
    exit 3;
}
ask( type => 'SucceedTask', state => 'success', end_date => now(), task_outlets => [], outlet_events => [] );
